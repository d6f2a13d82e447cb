/** The suite against a TVM that runs already: `npm run test:url`. */
const RUNNING = 'test/conformance/running.outside.ts';

const CONFIG = ['--config', 'vitest.outside.config.ts'];

/**
 * What vitest is told so that it runs a part of `test/**\/*.outside.ts`: all that needs a container engine, whatever it
 * is called, or the suite against a running TVM.
 */
export const OUTSIDE = {
  containers: [...CONFIG, '--exclude', RUNNING],
  running: [...CONFIG, RUNNING],
} as const;
