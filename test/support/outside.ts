/** The conformance suite against a running TVM: `npm run test:url`. */
const RUNNING = 'test/conformance/running.outside.ts';

const CONFIG = ['--config', 'vitest.outside.config.ts'];

/**
 * Vitest's options to run a part of `test/**\/*.outside.ts`: everything that needs a container
 * engine, or the conformance suite against a running TVM.
 */
export const OUTSIDE = {
  containers: [...CONFIG, '--exclude', RUNNING],
  running: [...CONFIG, RUNNING],
} as const;
