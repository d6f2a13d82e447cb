import { lacksAdapter, startLambda } from '../lambda/support.ts';
import { startLambdaFront, type OpenFront } from '../support/lambda-front.ts';
import { startDesk } from '../support/tvm.ts';
import { describeConformance, type Target } from './suite.ts';

/** The sources behind the Lambda Web Adapter, on the embedded AWS. */
async function startBehind(front: OpenFront): Promise<Target> {
  const desk = await startDesk();
  const lambda = await startLambda(desk.url);
  const { port, close } = await startLambdaFront(front, lambda.invoke);
  return {
    port,
    awsEndpoint: desk.url,
    resolvesTargets: true,
    close: async () => {
      await close();
      await lambda.close();
      await desk.close();
    },
  };
}

const lacking = lacksAdapter();

describeConformance('behind the adapter and an ALB', () => startBehind('alb'), lacking);
describeConformance(
  'behind the adapter and an open Function URL',
  () => startBehind('function-url'),
  lacking,
);
