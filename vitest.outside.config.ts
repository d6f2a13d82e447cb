import { defineConfig } from 'vitest/config';
import inside from './vitest.config.ts';

/** What needs more than Node and npm: a container engine (`npm run test:containers`), a running TVM (`npm run test:url`). */
export default defineConfig({
  test: {
    include: ['test/**/*.outside.ts'],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
    // The TVM's key on a desk, and nothing of the machine's own settings of AWS.
    env: inside.test?.env ?? {},
  },
});
