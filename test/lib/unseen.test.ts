import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeUnseen, quoted } from '../../src/lib/unseen.ts';

/**
 * Nothing that a terminal acts on: no control or format character, no line separator, no half of a
 * surrogate pair.
 */
const SEEN = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u;

describe('escapeUnseen', () => {
  it.each([
    ['a C0 control', '\u001b[31m', String.raw`\u001b[31m`],
    ['a line end', 'a\nb', String.raw`a\u000ab`],
    ['DEL', '\u007f', String.raw`\u007f`],
    ['C1 controls', '\u0080\u0085\u009b31m\u009f', String.raw`\u0080\u0085\u009b31m\u009f`],
    [
      'bidi embeddings and overrides',
      '\u202a\u202b\u202c\u202d\u202e',
      String.raw`\u202a\u202b\u202c\u202d\u202e`,
    ],
    ['bidi isolates', '\u2066\u2067\u2068\u2069', String.raw`\u2066\u2067\u2068\u2069`],
    ['bidi marks', '\u200e\u200f\u061c', String.raw`\u200e\u200f\u061c`],
    ['zero width', '\u200b\u200c\u200d\u2060\ufeff', String.raw`\u200b\u200c\u200d\u2060\ufeff`],
    ['separators of lines', '\u2028\u2029', String.raw`\u2028\u2029`],
    ['a soft hyphen', 'a\u00adb', String.raw`a\u00adb`],
    ['fillers', '\u115f\u3164\uffa0', String.raw`\u115f\u3164\uffa0`],
    ['tag characters', '\u{e0041}', String.raw`\udb40\udc41`],
    ['halves of characters', 'a\ud83d b\ude00', String.raw`a\ud83d b\ude00`],
  ])('writes %s as JSON does', (_, text, escaped) => {
    expect(escapeUnseen(text)).toBe(escaped);
  });

  it.each([
    '',
    'alice',
    'Jos\u00e9',
    '\u0430\u043b\u0438\u0441\u0430',
    '\u5f20\u4f1f',
    '\ud83d\ude00',
    'a b',
    '\u00a0',
  ])('leaves "%s" as it is', (text) => {
    expect(escapeUnseen(text)).toBe(text);
  });

  it('keeps the value of JSON, and leaves no unseen character in it', () => {
    // Any UTF-16 code units, lone surrogates among them.
    const text = fc
      .array(fc.integer({ min: 0, max: 0xffff }))
      .map((units) => String.fromCharCode(...units));
    fc.assert(
      fc.property(fc.oneof(text, fc.dictionary(text, text), fc.jsonValue()), (value) => {
        const json = JSON.stringify(value);
        expect(JSON.parse(escapeUnseen(json))).toEqual(JSON.parse(json));
        expect(escapeUnseen(json)).toMatch(SEEN);
        expect(escapeUnseen(escapeUnseen(json))).toBe(escapeUnseen(json));
      }),
    );
  });

  it('escapes every character of Unicode that is not shown', () => {
    const codes = Array.from({ length: 0x11_0000 }, (_, code) => code);
    expect(codes.filter((code) => !SEEN.test(escapeUnseen(String.fromCodePoint(code))))).toEqual(
      [],
    );
  });
});

describe('quoted', () => {
  it('gives one short line in quotes', () => {
    expect(quoted('dev')).toBe('"dev"');
    expect(quoted('profile\0admin\u202e')).toBe(String.raw`"profile\u0000admin\u202e"`);
    expect(quoted('x'.repeat(10_000))).toBe(`"${'x'.repeat(80)}…"`);
    expect(quoted(`${'x'.repeat(79)}\ud83d\ude00`)).toMatch(SEEN);
  });
});
