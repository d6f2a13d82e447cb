import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { readDescriptorLimit, toConnectionLimits } from '../../src/http/connection-limits.ts';
import { createTally } from '../../src/http/tally.ts';

const directory = mkdtempSync(join(tmpdir(), 'sentinel-limits-'));
afterAll(() => rmSync(directory, { recursive: true }));

const HEAD = 'Limit                     Soft Limit           Hard Limit           Units     \n';
const CPU = 'Max cpu time              unlimited            unlimited            seconds   \n';

describe('readDescriptorLimit', () => {
  it.each([
    ['512', '4096', 512],
    ['1048576', '1048576', 1_048_576],
    ['unlimited', 'unlimited', Number.POSITIVE_INFINITY],
  ])('gives the soft limit: %s of %s', (soft, hard, limit) => {
    const file = join(directory, soft);
    writeFileSync(
      file,
      `${HEAD}${CPU}Max open files            ${soft}                 ${hard}                files     \n`,
    );
    expect(readDescriptorLimit(file)).toBe(limit);
  });

  it('gives 1,024 where the system does not say', () => {
    expect(readDescriptorLimit(join(directory, 'not-there'))).toBe(1_024);
    const file = join(directory, 'empty');
    writeFileSync(file, '');
    expect(readDescriptorLimit(file)).toBe(1_024);
  });
});

describe('toConnectionLimits', () => {
  it('leaves half of the descriptors free, and allows at least one connection', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 2_000_000 }),
        fc.boolean(),
        (descriptors, tellsSources) => {
          const { total, perSource } = toConnectionLimits(descriptors, tellsSources);
          expect(total).toBeGreaterThanOrEqual(1);
          expect(total).toBeLessThanOrEqual(Math.min(2_048, descriptors / 2));
          if (!tellsSources) expect(perSource).toBeUndefined();
          else expect(perSource).toBe(Math.ceil(total / 2));
        },
      ),
    );
    expect(toConnectionLimits(Number.POSITIVE_INFINITY, false).total).toBe(2_048);
  });
});

describe('createTally', () => {
  it('reports the first event at once, and the others together at the end of the window', () => {
    vi.useFakeTimers();
    try {
      const said: unknown[] = [];
      const count = createTally<'a' | 'b'>((counts) => said.push(counts), 1_000);
      for (const name of ['a', 'a', 'b', 'a'] as const) count(name);
      expect(said).toEqual([{ a: 1 }]);
      vi.advanceTimersByTime(999);
      expect(said).toHaveLength(1);
      vi.advanceTimersByTime(1);
      expect(said).toEqual([{ a: 1 }, { a: 2, b: 1 }]);
      vi.advanceTimersByTime(10_000);
      expect(said).toHaveLength(2);
      count('b');
      expect(said.at(-1)).toEqual({ b: 1 });
    } finally {
      vi.useRealTimers();
    }
  });
});
