import { defineConfig } from 'vitest/config';

/** What needs more than Node and npm: a container engine (`npm run test:containers`), a running TVM (`npm run test:url`). */
export default defineConfig({
  test: {
    include: ['test/**/*.outside.ts'],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
  },
});
