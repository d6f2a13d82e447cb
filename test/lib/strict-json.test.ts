import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from '../../src/lib/strict-json.ts';

function parse(text: string) {
  return parseStrictJson(Buffer.from(text));
}

const REPEATED = { ok: false, refusal: 'repeated-key' };
const NOT_JSON = { ok: false, refusal: 'not-json' };

describe('parseStrictJson', () => {
  it('reads what JSON.parse reads, if no key is repeated', () => {
    const property = fc.property(
      fc.jsonValue(),
      fc.constantFrom(undefined, 2, '\t'),
      (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    String.raw`{"a":1,"\u0061":2}`,
    String.raw`{"\"":1,"\u0022":2}`,
    String.raw`{"\\":1,"\u005c":2}`,
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"a":{"b":1,"b":2}}',
    '[[{"b":1,"b":2}]]',
    '{"a":1,"a":{"b":1}}',
    '{"a":{"b":1},"a":{}}',
    '{"a" \t\r\n:1, "a"\n:2}',
    '{"a:":1,"a:":1}',
    '{"1":1,"1":2}',
    '{"é":1,"\\u00e9":2}',
    '{"😀":1,"\\ud83d\\ude00":2}',
    '{"\u2028":1,"\\u2028":2}',
    '{"constructor":1,"constructor":1}',
    '{"length":1,"length":1}',
  ])('refuses the repeated key in %s', (text) => {
    expect(parse(text)).toEqual(REPEATED);
  });

  it.each([
    '{"a":"b","b":"a"}',
    '{"a":"\\"a\\":1"}',
    String.raw`{"a":"x\\","b":"\":"}`,
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":1}]',
    '["a",":","a"]',
    '{"a":"a:","b":":"}',
    '{"A":1,"a":1}',
    '{"é":1,"e\u0301":2}',
    '{"__proto__":{"a":1},"a":1}',
    '{"toString":1,"hasOwnProperty":2}',
    String.raw`{"\u2028":"\u2029","x":"\b\f\n\r\t\/"}`,
    '0',
    '""',
    '[]',
  ])('accepts %s', (text) => {
    expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
  });

  it('treats __proto__ as a key like any other', () => {
    const parsed = parse('{"__proto__":{"admin":true}}');
    expect(parsed.ok && Object.keys(parsed.value as object)).toEqual(['__proto__']);
    expect(parsed.ok && (parsed.value as { admin?: boolean }).admin).toBeUndefined();
  });

  it.each([
    '',
    ' ',
    '{',
    '{a:1}',
    "{'a':1}",
    '{"a":1,}',
    '[1,]',
    'NaN',
    '01',
    '1 2',
    '{}{}',
    '"\n"',
    '// x\n1',
    'undefined',
    '\u0000',
  ])('refuses %j', (text) => {
    expect(parse(text)).toEqual(NOT_JSON);
  });

  it.each([
    ['half a character', [0x22, 0xc3, 0x22]],
    ['an overlong form', [0x22, 0xc0, 0xaf, 0x22]],
    ['half of a pair', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x31, 0x00]],
    ['Latin-1', [0x22, 0xe4, 0x22]],
  ])('refuses %s', (_, bytes) => {
    expect(parseStrictJson(Uint8Array.from(bytes))).toEqual(NOT_JSON);
  });

  it('finds a repeated key at any depth', () => {
    const property = fc.property(
      fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
      fc.nat(),
      (value, which) => {
        const keys = Object.keys(value);
        const key = keys[which % keys.length] ?? '';
        const text = JSON.stringify(value);
        const twice = `${text.slice(0, -1)},${JSON.stringify(key)}:null}`;
        expect(parse(twice)).toEqual(REPEATED);
        expect(parse(`[${twice}]`)).toEqual(REPEATED);
        expect(parse(`{"x":{"y":${twice}}}`)).toEqual(REPEATED);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('never throws, whatever the bytes', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect([true, false]).toContain(parseStrictJson(bytes).ok);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it.each([1_000, 4_000, 32_000])('never throws at a depth of %i', (depth) => {
    for (const text of [
      '['.repeat(depth) + ']'.repeat(depth),
      `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
    ]) {
      expect(() => parse(text)).not.toThrow();
    }
  });
});
