import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  activeSealingKey,
  isSignedRow,
  signRow,
  subkey,
  type SealingKey,
} from '../../src/lib/sealing.ts';

/** The TVM recognises what it signed, and nothing else. */
const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
const keyIds = fc.stringMatching(/^[\w-]{1,12}(?:\.[\w-]{1,4})?$/u);
const sealingKeys = fc.record({ id: keyIds, key: bytes, activeFrom: fc.nat() });
/** Numbers as rows hold them: integers. */
const part = fc.oneof(fc.string({ unit: 'binary' }), fc.integer());
const parts = fc.array(part, { maxLength: 6 });
const purposes = fc.constantFrom('session row', 'lifted revocation', '', 'a');

function ring(...keys: readonly SealingKey[]) {
  return new Map(keys.map((key) => [key.id, key]));
}
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

describe('signRow and isSignedRow', () => {
  it('recognise what was signed, in the documented form', () => {
    const property = fc.property(sealingKeys, purposes, parts, (key, purpose, row) => {
      const signature = signRow(key, purpose, row);
      expect(signature.startsWith(`${key.id}.`)).toBe(true);
      expect(signature.slice(key.id.length + 1)).toMatch(/^[0-9a-f]{64}$/u);
      expect(isSignedRow(signature, ring(key), purpose, [...row])).toBe(true);
    });
    fc.assert(property);
  });

  it('refuse parts of which one was changed, added, dropped, joined or moved', () => {
    const property = fc.property(
      sealingKeys,
      purposes,
      parts,
      parts,
      (key, purpose, row, other) => {
        fc.pre(!same(row, other));
        expect(isSignedRow(signRow(key, purpose, row), ring(key), purpose, other)).toBe(false);
      },
    );
    fc.assert(property);
    const change = fc.property(
      sealingKeys,
      fc.array(part, { minLength: 1, maxLength: 6 }),
      fc.nat(),
      part,
      (key, row, at, to) => {
        const index = at % row.length;
        fc.pre(!same(row[index], to));
        const signature = signRow(key, 'p', row);
        for (const other of [
          row.with(index, to),
          [...row, to],
          row.toSpliced(index, 1),
          [to, ...row],
        ]) {
          expect(isSignedRow(signature, ring(key), 'p', other)).toBe(false);
        }
      },
    );
    fc.assert(change);
  });

  it.each<readonly [readonly (string | number)[], readonly (string | number)[]]>([
    [
      ['ab', 'c'],
      ['a', 'bc'],
    ],
    [['a,b'], ['a', 'b']],
    [['a","b'], ['a', 'b']],
    [[1], ['1']],
    [
      ['1', 2],
      [1, '2'],
    ],
    [[], ['']],
    [['', ''], ['']],
    [['\ud800'], ['\ufffd']],
    [['\ud800'], ['\\ud800']],
    [['é'], ['e\u0301']],
  ])('tell %j from %j', (one, other) => {
    const key = { id: 'k', key: new Uint8Array(32).fill(1), activeFrom: 0 };
    expect(isSignedRow(signRow(key, 'p', one), ring(key), 'p', other)).toBe(false);
    expect(isSignedRow(signRow(key, 'p', other), ring(key), 'p', one)).toBe(false);
  });

  it('refuse another purpose, another key under the same id, the same key under another id, and a key that is gone', () => {
    const property = fc.property(sealingKeys, bytes, keyIds, parts, (key, other, id, row) => {
      fc.pre(!same([...key.key], [...other]) && id !== key.id);
      const signature = signRow(key, 'one', row);
      expect(isSignedRow(signature, ring(key), 'two', row)).toBe(false);
      expect(isSignedRow(signature, ring({ ...key, key: other }), 'one', row)).toBe(false);
      expect(isSignedRow(signature, ring({ ...key, id }), 'one', row)).toBe(false);
      expect(isSignedRow(signature, new Map(), 'one', row)).toBe(false);
      // Both ids have the same bytes: the id in the signature decides, and each row keeps its own.
      const renamed = signature.replace(key.id, id);
      expect(isSignedRow(renamed, ring(key), 'one', row)).toBe(false);
    });
    fc.assert(property);
  });

  it('recognise the signature of an older key as long as that key is there', () => {
    const property = fc.property(sealingKeys, sealingKeys, parts, (old, young, row) => {
      fc.pre(old.id !== young.id);
      expect(isSignedRow(signRow(old, 'p', row), ring(old, young), 'p', row)).toBe(true);
    });
    fc.assert(property);
  });

  it('refuse a signature that was altered in one character, cut or made longer', () => {
    const property = fc.property(
      sealingKeys,
      parts,
      fc.nat(),
      fc.string({ maxLength: 3 }),
      (key, row, at, text) => {
        const signature = signRow(key, 'p', row);
        const index = at % signature.length;
        const changed = `${signature.slice(0, index)}${text}${signature.slice(index + 1)}`;
        fc.pre(changed !== signature);
        expect(isSignedRow(changed, ring(key), 'p', row)).toBe(false);
        expect(isSignedRow(signature.toUpperCase(), ring(key), 'p', row)).toBe(
          signature === signature.toUpperCase(),
        );
      },
    );
    fc.assert(property);
  });

  it('never throw and never recognise arbitrary text', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '',
        '.',
        'k',
        'k.',
        '.k',
        'k..',
        `k.${'0'.repeat(64)}`,
        `k.${'é'.repeat(32)}`,
        `k.${'é'.repeat(64)}`,
      ),
      fc.string({ unit: 'binary', minLength: 60, maxLength: 70 }).map((text) => `k.${text}`),
      fc.constantFrom('__proto__.x', 'constructor.x', 'toString.x'),
    );
    const property = fc.property(texts, bytes, parts, (text, key, row) => {
      const keys = ring({ id: 'k', key, activeFrom: 0 }, { id: '', key, activeFrom: 0 });
      expect(isSignedRow(text, keys, 'p', row)).toBe(false);
    });
    fc.assert(property);
  });
});

describe('subkey and activeSealingKey', () => {
  it('derive another key for each purpose and each sealing key', () => {
    const property = fc.property(sealingKeys, bytes, (key, other) => {
      fc.pre(!same([...key.key], [...other]));
      const derived = [
        subkey(key, 'one'),
        subkey(key, 'two'),
        subkey({ ...key, key: other }, 'one'),
        Buffer.from(key.key),
      ].map((one) => one.toString('hex'));
      expect(new Set(derived).size).toBe(4);
      expect(derived.every((one) => one.length === 64)).toBe(true);
      expect(subkey({ ...key, id: 'other', activeFrom: 9 }, 'one').toString('hex')).toBe(
        derived[0],
      );
    });
    fc.assert(property);
  });

  it('choose the key that became active last, and among equals the one whose id sorts last', () => {
    function key(id: string, activeFrom: number): SealingKey {
      return { id, activeFrom, key: new Uint8Array(32) };
    }
    const keys = ring(key('old', 0), key('b', 10), key('a', 10), key('future', 20));
    expect(activeSealingKey(keys, 9)?.id).toBe('old');
    expect(activeSealingKey(keys, 10)?.id).toBe('b');
    expect(activeSealingKey(keys, 20)?.id).toBe('future');
    expect(activeSealingKey(ring(key('future', 20)), 19)).toBeUndefined();
    expect(activeSealingKey(new Map(), 0)).toBeUndefined();
  });
});
