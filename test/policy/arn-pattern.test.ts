import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasWildcard, matchesPattern } from '../../src/policy/arn-pattern.ts';

/**
 * What a pattern means, as simply as it can be written. It takes exponential time, so texts must be
 * short.
 */
function means(pattern: string, text: string): boolean {
  const [first, rest] = [pattern.charAt(0), pattern.slice(1)];
  const isFree = text !== '' && !text.startsWith(':') && !text.startsWith('/');
  if (pattern === '') return text === '';
  if (first === '*') return means(rest, text) || (isFree && means(pattern, text.slice(1)));
  if (first === '?') return isFree && means(rest, text.slice(1));
  return text.startsWith(first) && means(rest, text.slice(1));
}

describe('matchesPattern', () => {
  it('agrees with a naive implementation', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', ':', '/'), { maxLength: 10 })
      .map((parts) => parts.join(''));
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

  it('matches a text by a pattern that was made from it', () => {
    const part = fc.constantFrom('a', 'bc', ':', '/', '');
    fc.assert(
      fc.property(fc.array(fc.tuple(part, fc.boolean())), (parts) => {
        const text = parts.map(([piece]) => piece).join('');
        const pattern = parts
          .map(([piece, hide]) => (hide && !/[:/]/u.test(piece) ? '*' : piece))
          .join('');
        expect(matchesPattern(pattern, text)).toBe(true);
      }),
    );
  });

  it('matches only the same text without wildcards', () => {
    const arn = 'arn:aws:iam::111122223333:role/a.b+c';
    expect(matchesPattern(arn, arn)).toBe(true);
    expect(matchesPattern(arn, arn.replace('.', 'x'))).toBe(false);
    expect(matchesPattern(arn, `${arn}x`)).toBe(false);
    expect(matchesPattern(arn, `x${arn}`)).toBe(false);
    expect([hasWildcard(arn), hasWildcard(`${arn}?`), hasWildcard('a*')]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('takes little time for patterns of many stars', () => {
    const text = 'a'.repeat(10_000);
    expect(matchesPattern(`${'*'.repeat(1_000)}x`, text)).toBe(false);
    expect(matchesPattern(`${'*a'.repeat(1_000)}x`, text)).toBe(false);
    expect(matchesPattern(`${'*a'.repeat(1_000)}*`, text)).toBe(true);
    expect(matchesPattern(`${'*a?'.repeat(600)}:x`, `${text}:y`)).toBe(false);
  });
});
