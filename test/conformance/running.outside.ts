import { describeConformance } from './suite.ts';

/**
 * The suite against a TVM that is running already, with the demo documents behind it:
 * `npm run test:url -- http://127.0.0.1:8080 http://127.0.0.1:4566`, the second being its AWS. It needs the demo keys, so
 * it can be a desk's only.
 */
const [tvm = '', aws = ''] = [process.env['CONFORMANCE_URL'], process.env['CONFORMANCE_AWS_URL']];

describeConformance(tvm, () =>
  Promise.resolve({ port: Number(new URL(tvm).port), awsEndpoint: aws, close: () => Promise.resolve() }),
);
