import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readSealingKey } from '../../src/policy/documents/sealing-key.ts';
import { problemsOf, valueOf } from './support.ts';

const BYTES = randomBytes(32);
const KEY = BYTES.toString('base64');

describe('readSealingKey', () => {
  it('reads 32 bytes and the time from which the key is used', () => {
    expect(valueOf(readSealingKey(JSON.stringify({ key: KEY })))).toEqual({
      key: new Uint8Array(BYTES),
      activeFrom: 0,
    });
    const full = `key: ${KEY}\nactive_from: 2026-01-02T03:04:05Z\n`;
    expect(valueOf(readSealingKey(full)).activeFrom).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
  });

  it.each([
    ['nothing', '{}', '1 key: '],
    ['31 bytes', { key: BYTES.subarray(1).toString('base64') }, '1 key: '],
    [
      '33 bytes',
      { key: Buffer.concat([BYTES, BYTES]).subarray(0, 33).toString('base64') },
      '1 key: ',
    ],
    ['base64url', { key: Buffer.alloc(32, '\u00fb\u00ff').toString('base64url') }, '1 key: '],
    ['base64 without its padding', { key: KEY.replaceAll('=', '') }, '1 key: '],
    ['a passphrase', { key: 'correct horse battery staple' }, '1 key: '],
    ['zeros', { key: Buffer.alloc(32).toString('base64') }, '1 key: '],
    ['a number', { key: 7 }, '1 key: '],
    ['a date without time', { key: KEY, active_from: '2026-01-02' }, '1 active_from: '],
    ['another key', { key: KEY, algorithm: 'none' }, '1 : '],
    ['text', 'hello', '1 : '],
  ])('refuses %s by the name of its key, and repeats nothing of it', (_, document, expected) => {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    const problems = problemsOf(readSealingKey(text));
    expect(problems[0]?.slice(0, expected.length)).toBe(expected);
    expect(problems.join(' ')).not.toContain(KEY.slice(0, 8));
  });
});
