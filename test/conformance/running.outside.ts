import { describeConformance } from './suite.ts';

/**
 * The suite against a TVM that runs already with the demo documents: `npm run test:url --
 * http://127.0.0.1:8080 http://127.0.0.1:4566`, where the second is its AWS. It needs the demo
 * keys, which a TVM accepts only if its AWS is local.
 */
const [tvm = '', aws = ''] = [process.env['CONFORMANCE_URL'], process.env['CONFORMANCE_AWS_URL']];

describeConformance(tvm, () =>
  Promise.resolve({
    port: Number(new URL(tvm).port),
    awsEndpoint: aws,
    close: () => Promise.resolve(),
  }),
);
