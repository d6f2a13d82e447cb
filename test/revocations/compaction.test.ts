import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  gapsOf,
  includes,
  mergeRanges,
  toRanges,
  type Ranges,
} from '../../src/revocations/compaction.ts';

/** Ranges behave as the sets of numbers that they stand for. */
const numbers = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 65_530, max: 65_545 })),
);

function spread(ranges: Ranges): readonly number[] {
  return ranges.flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index),
  );
}

function sorted(list: Iterable<number>): readonly number[] {
  return [...new Set(list)].toSorted((a, b) => a - b);
}

describe('toRanges, mergeRanges, gapsOf and includes', () => {
  it('give ranges of exactly the numbers, in order and with gaps between them', () => {
    fc.assert(
      fc.property(numbers, (list) => {
        const ranges = toRanges(list);
        expect(spread(ranges)).toEqual(sorted(list));
        for (const [index, [from]] of ranges.entries()) {
          expect(from).toBeGreaterThan((ranges[index - 1]?.[1] ?? -1) + 1);
        }
      }),
    );
  });

  it('merge ranges to their union, and give the missing numbers as gaps', () => {
    fc.assert(
      fc.property(numbers, numbers, fc.integer({ min: 0, max: 60 }), (one, other, end) => {
        const both = mergeRanges(toRanges(one), toRanges(other));
        expect(spread(both)).toEqual(sorted([...one, ...other]));
        const all = Array.from({ length: end }, (_, index) => index + 1);
        expect(spread(gapsOf(both, end))).toEqual(
          all.filter((n) => !one.includes(n) && !other.includes(n)),
        );
      }),
    );
  });

  it('include the numbers in the ranges, and no others', () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 0, max: 65_560 }), (list, n) => {
        expect(includes(toRanges(list), n)).toBe(list.includes(n));
      }),
    );
    expect(includes([[1, 9]], Number.NaN)).toBe(false);
  });

  it('handle numbers as high as the log goes', () => {
    expect(gapsOf(toRanges([3]), 1e15)).toEqual([
      [1, 2],
      [4, 1e15],
    ]);
  });
});
