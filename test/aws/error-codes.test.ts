import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isServiceFault, isThrottling } from '../../src/aws/error-codes.ts';

const SDK = resolve(
  import.meta.dirname,
  '../../node_modules/@smithy/core/dist-es/submodules/retry/service-error-classification/constants.js',
);

/** The SDK's own list, as it is installed: it is exported to nobody. */
function sdkCodes(): readonly string[] {
  const [, list = ''] = /THROTTLING_ERROR_CODES = \[([^\]]*)\]/u.exec(readFileSync(SDK, 'utf8')) ?? [];
  return [...list.matchAll(/"(\w+)"/gu)].map(([, code = '']) => code);
}

describe('throttling', () => {
  it('is all that the SDK takes for it', () => {
    expect(sdkCodes().length).toBeGreaterThan(10);
    expect(sdkCodes().filter((code) => !isThrottling(code))).toEqual([]);
  });

  it.each(['', 'throttling', 'AccessDenied', 'RegionDisabledException', 'toString', '__proto__'])(
    'is not "%s"',
    (code) => {
      expect([isThrottling(code), isServiceFault(code)]).toEqual([false, false]);
    },
  );

  it('and faults of the service are two things', () => {
    expect(sdkCodes().filter(isServiceFault)).toEqual([]);
    expect(['RequestTimeoutException', 'InternalFailure'].every(isServiceFault)).toBe(true);
  });
});
