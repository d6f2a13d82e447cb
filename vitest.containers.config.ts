import { defineConfig } from 'vitest/config';

/** `npm run test:containers`: what needs a container engine. */
export default defineConfig({
  test: {
    include: ['test/**/*.container.ts'],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
  },
});
