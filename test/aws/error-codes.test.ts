import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isServiceFault, isThrottling } from '../../src/aws/error-codes.ts';

const SDK = resolve(
  import.meta.dirname,
  '../../node_modules/@smithy/core/dist-es/submodules/retry/service-error-classification/constants.js',
);

/** The list of the installed SDK, which does not export it. */
function sdkCodes(): readonly string[] {
  const [, list = ''] =
    /THROTTLING_ERROR_CODES = \[([^\]]*)\]/u.exec(readFileSync(SDK, 'utf8')) ?? [];
  return [...list.matchAll(/"(\w+)"/gu)].map(([, code = '']) => code);
}

describe('isThrottling and isServiceFault', () => {
  it('know every code that the SDK takes for throttling', () => {
    expect(sdkCodes().length).toBeGreaterThan(10);
    expect(sdkCodes().filter((code) => !isThrottling(code))).toEqual([]);
  });

  it.each(['', 'throttling', 'AccessDenied', 'RegionDisabledException', 'toString', '__proto__'])(
    'do not take "%s" for throttling',
    (code) => {
      expect([isThrottling(code), isServiceFault(code)]).toEqual([false, false]);
    },
  );

  it('never hold for the same code', () => {
    expect(sdkCodes().filter(isServiceFault)).toEqual([]);
    expect(['RequestTimeoutException', 'InternalFailure'].every(isServiceFault)).toBe(true);
  });
});
