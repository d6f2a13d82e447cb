import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseGoDuration } from '../../src/lib/go-duration.ts';

/** Go's own examples, and forms close to them: https://pkg.go.dev/time#ParseDuration */
const GOOD: readonly (readonly [text: string, ms: number])[] = [
  ['0', 0],
  ['0s', 0],
  ['5s', 5_000],
  ['30s', 30_000],
  ['1478s', 1_478_000],
  ['45m', 2_700_000],
  ['1h30m', 5_400_000],
  ['30m1h', 5_400_000],
  ['1h1h', 7_200_000],
  ['0.5h', 1_800_000],
  ['.5h', 1_800_000],
  ['5.s', 5_000],
  ['1.5s', 1_500],
  ['10ms', 10],
  ['1000us', 1],
  ['1000\u00b5s', 1],
  ['1000\u03bcs', 1],
  ['1000000ns', 1],
  ['3h30m4.5s', 12_604_500],
  ['00010m', 600_000],
];

const BAD = [
  '',
  ' ',
  '1',
  '900',
  '-5m',
  '+5m',
  '5',
  '.s',
  's',
  'm5',
  '5 m',
  ' 5m',
  '5m ',
  '5m\n',
  '1d',
  '1w',
  '5M',
  '1H',
  '1e3s',
  '0x5s',
  '1_000s',
  '1,5s',
  '1..5s',
  '1.5.5s',
  'Infinitys',
  'NaNs',
  '٥m',
  '1h-30m',
  'PT5M',
  `${'1'.repeat(70)}h`,
  `${'9'.repeat(60)}h`,
];

describe('parseGoDuration', () => {
  it.each(GOOD)('reads %s as %i ms', (text, ms) => {
    const read = parseGoDuration(text);
    expect(read.ok && read.value).toBeCloseTo(ms, 6);
  });

  it.each(BAD)('refuses "%s" with a sentence that quotes it', (text) => {
    const read = parseGoDuration(text);
    expect(read.ok).toBe(false);
    expect(!read.ok && read.refusal).toContain(`"${text}"`);
  });

  it('reads what Go prints: hours, minutes and seconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000 }), (total) => {
        const text = `${Math.floor(total / 3600)}h${Math.floor(total / 60) % 60}m${total % 60}s`;
        expect(parseGoDuration(text)).toEqual({ ok: true, value: total * 1000 });
      }),
    );
  });

  it('adds up the terms, in any order', () => {
    const term = fc.tuple(
      fc.nat(10_000),
      fc.constantFrom(['h', 3_600_000], ['m', 60_000], ['s', 1_000], ['ms', 1]),
    );
    fc.assert(
      fc.property(fc.array(term, { minLength: 1, maxLength: 5 }), (terms) => {
        const text = terms.map(([amount, [unit]]) => `${amount}${unit}`).join('');
        const sum = terms.reduce((total, [amount, [, ms]]) => total + amount * ms, 0);
        expect(parseGoDuration(text)).toEqual({ ok: true, value: sum });
      }),
    );
  });

  it('never throws, and never gives a negative number or one beyond the safe integers', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.hmsnu]{0,80}$/u)), (text) => {
        const read = parseGoDuration(text);
        const sound = read.ok
          ? read.value >= 0 && read.value <= Number.MAX_SAFE_INTEGER
          : /duration/u.test(read.refusal);
        expect(sound).toBe(true);
      }),
    );
  });
});
