import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readWebhook } from '../../src/policy/documents/webhook.ts';
import { problemsOf, valueOf } from './support.ts';

const BYTES = randomBytes(32);
const KEY = BYTES.toString('base64');
const OTHER = randomBytes(32).toString('base64');
const URL = 'https://hooks.example.com/services/the-secret-path';

describe('readWebhook', () => {
  it('reads one key, or two while receivers change keys, and the URL', () => {
    expect(valueOf(readWebhook(JSON.stringify({ keys: [KEY] }), false))).toEqual({
      keys: [new Uint8Array(BYTES)],
      url: undefined,
    });
    const full = `keys:\n  - ${KEY}\n  - ${OTHER}\nurl: ${URL}\n`;
    const { keys, url } = valueOf(readWebhook(full, false));
    expect(keys).toHaveLength(2);
    expect(url).toBe(URL);
  });

  it('takes http to this machine only where the AWS endpoint is local', () => {
    const text = JSON.stringify({ keys: [KEY], url: 'http://127.0.0.1:9000/hook' });
    expect(valueOf(readWebhook(text, true)).url).toBe('http://127.0.0.1:9000/hook');
    expect(problemsOf(readWebhook(text, false))[0]).toMatch(/^1 url: /u);
  });

  it.each([
    ['nothing', '{}', '1 keys: '],
    ['no key', { keys: [] }, '1 keys: '],
    ['three keys', { keys: [KEY, OTHER, KEY] }, '1 keys: '],
    ['a key that is no list', { keys: KEY }, '1 keys: '],
    ['a passphrase', { keys: ['correct horse battery staple'] }, '1 keys: '],
    ['zeros', { keys: [Buffer.alloc(32).toString('base64')] }, '1 keys: '],
    [
      '31 bytes beside a good key',
      { keys: [KEY, BYTES.subarray(1).toString('base64')] },
      '1 keys: ',
    ],
    ['http', { keys: [KEY], url: URL.replace('https', 'http') }, '1 url: '],
    [
      'a URL with a password',
      { keys: [KEY], url: 'https://the-secret:pass@hooks.example.com/' },
      '1 url: ',
    ],
    ['no URL', { keys: [KEY], url: 'the-secret-path' }, '1 url: '],
    ['an empty URL', { keys: [KEY], url: '' }, '1 url: '],
    ['another key', { keys: [KEY], 'the-secret': 'x' }, '1 : '],
    ['text', 'the-secret', '1 : '],
  ])('refuses %s by name, and repeats nothing of it', (_, document, expected) => {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    const problems = problemsOf(readWebhook(text, true));
    expect(problems[0]?.slice(0, expected.length)).toBe(expected);
    expect(problems.join(' ')).not.toContain(KEY.slice(0, 8));
    expect(problems.join(' ')).not.toContain('the-secret');
  });
});
