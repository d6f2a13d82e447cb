import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasWildcard, matchesPattern } from '../../src/policy/arn-pattern.ts';

/** What a pattern means, said as plainly as possible; exponential, so only for short texts. */
function means(pattern: string, text: string): boolean {
  const [first, rest] = [pattern.charAt(0), pattern.slice(1)];
  const isFree = text !== '' && !text.startsWith(':') && !text.startsWith('/');
  if (pattern === '') return text === '';
  if (first === '*') return means(rest, text) || (isFree && means(pattern, text.slice(1)));
  if (first === '?') return isFree && means(rest, text.slice(1));
  return text.startsWith(first) && means(rest, text.slice(1));
}

describe('patterns of principals', () => {
  it('mean what a naive reading says', () => {
    const text = fc.array(fc.constantFrom('a', 'b', ':', '/'), { maxLength: 10 }).map((parts) => parts.join(''));
    const pattern = fc
      .array(fc.constantFrom('a', 'b', ':', '/', '*', '*', '?'), { maxLength: 8 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(pattern, text, (glob, subject) => {
        expect(matchesPattern(glob, subject)).toBe(means(glob, subject));
      }),
      { numRuns: 5_000 },
    );
  });

  it('made from a text always match it', () => {
    const part = fc.constantFrom('a', 'bc', ':', '/', '');
    fc.assert(
      fc.property(fc.array(fc.tuple(part, fc.boolean())), (parts) => {
        const text = parts.map(([piece]) => piece).join('');
        const pattern = parts.map(([piece, hide]) => (hide && !/[:/]/u.test(piece) ? '*' : piece)).join('');
        expect(matchesPattern(pattern, text)).toBe(true);
      }),
    );
  });

  it('without wildcards match only themselves', () => {
    const arn = 'arn:aws:iam::111122223333:role/a.b+c';
    expect(matchesPattern(arn, arn)).toBe(true);
    expect(matchesPattern(arn, arn.replace('.', 'x'))).toBe(false);
    expect(matchesPattern(arn, `${arn}x`)).toBe(false);
    expect(matchesPattern(arn, `x${arn}`)).toBe(false);
    expect([hasWildcard(arn), hasWildcard(`${arn}?`), hasWildcard('a*')]).toEqual([false, true, true]);
  });

  it('do not blow up', () => {
    const text = 'a'.repeat(10_000);
    expect(matchesPattern(`${'*'.repeat(1_000)}x`, text)).toBe(false);
    expect(matchesPattern(`${'*a'.repeat(1_000)}x`, text)).toBe(false);
    expect(matchesPattern(`${'*a'.repeat(1_000)}*`, text)).toBe(true);
    expect(matchesPattern(`${'*a?'.repeat(600)}:x`, `${text}:y`)).toBe(false);
  });
});
