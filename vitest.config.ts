import { defineConfig } from 'vitest/config';

/**
 * Rooms whose code is pure. Without isolation their files share a process and its modules, which are loaded once. Their
 * tests start no server or process, fake nothing and leave the environment alone (`test/structure.test.ts` looks), but
 * for the files that are left out here.
 */
export const PURE = [
  'test/policy/!(operate).test.ts',
  'test/sigv4/!(clients|forwarded-token).test.ts',
  'test/lib/!(gate|patience).test.ts',
  'test/contract/!(answers).test.ts',
];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'pure',
          include: PURE,
          isolate: false,
          setupFiles: ['test/support/pure-setup.ts'],
        },
      },
      {
        extends: true,
        test: { name: 'isolated', include: ['test/**/*.test.ts'], exclude: PURE },
      },
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // The TVM of the tests is the demo TVM of the embedded AWS; nothing may reach for credentials of the machine.
    env: {
      AWS_ACCESS_KEY_ID: 'AKIADEMOTVM00000',
      AWS_SECRET_ACCESS_KEY: 'demo-tvm-not-a-secret',
      AWS_SESSION_TOKEN: '',
      AWS_PROFILE: '',
      AWS_CONFIG_FILE: '/nonexistent',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
      AWS_EC2_METADATA_DISABLED: 'true',
      // HTTP_PROXY of the machine is none of the tests' business.
      NO_PROXY: '127.0.0.1,localhost',
    },
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.d.ts'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: {
        'src/sigv4/**': { lines: 90 },
        'src/policy/**': { lines: 90 },
        'src/identity/**': { lines: 90 },
        'src/actions/**': { lines: 90 },
      },
    },
  },
});
