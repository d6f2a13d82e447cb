import { DockerComposeEnvironment, Wait } from 'testcontainers';
import { freePort, ROOT } from '../support/processes.ts';
import { describeConformance, type Target } from './suite.ts';

/**
 * `docker compose up` in this repository, on free ports: the image on LocalStack, seeded from the
 * build stage.
 */
async function startCompose(): Promise<Target> {
  const [port, awsPort] = [await freePort(), await freePort()];
  const environment = await new DockerComposeEnvironment(ROOT, 'compose.yaml')
    .withProjectName(`sentinel-tvm-test-${process.pid}`)
    .withEnvironment({ ...process.env, PORT: String(port), AWS_PORT: String(awsPort) })
    .withBuild()
    .withWaitStrategy('localstack-1', Wait.forHealthCheck())
    .withWaitStrategy('seed-1', Wait.forOneShotStartup())
    .withWaitStrategy('tvm-1', Wait.forHealthCheck())
    .withStartupTimeout(240_000)
    .up();
  return {
    port,
    awsEndpoint: `http://127.0.0.1:${awsPort}`,
    close: async () => {
      await environment.down({ removeVolumes: true });
    },
  };
}

describeConformance('the image on LocalStack', startCompose);
