import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasSecret, mintKey, openKey } from '../../src/identity/minted-key.ts';
import { activeSealingKey, type SealingKey } from '../../src/lib/sealing.ts';

function sealing(id: string, activeFrom = 0): SealingKey {
  return { id, activeFrom, key: new Uint8Array(randomBytes(32)) };
}
function ring(...keys: readonly SealingKey[]) {
  return new Map(keys.map((key) => [key.id, key]));
}

const K1 = sealing('k1');
const END = Date.parse('2026-01-02T03:04:05Z');
const OPTIONS = { serverId: 'tvm-1', expiresAt: END };
const KEY_SOURCE = { via: 'key', accessKeyId: 'TVMALICE', secret: 'a-secret-of-alice' } as const;

const identity = fc.record({ arn: fc.string(), account: fc.string(), userId: fc.string() });
const awsSource = fc.record({
  via: fc.constantFrom('sts', 'lambda'),
  accessKeyId: fc.string(),
  identity,
});

describe('a minted key', () => {
  it('keeps every claim, whatever its content', () => {
    fc.assert(
      fc.property(awsSource, fc.option(fc.string(), { nil: undefined }), (source, serverId) => {
        const key = mintKey(source, K1, { serverId, expiresAt: END });
        const opened = openKey(key.sessionToken, ring(K1), serverId);
        expect(opened?.claims).toEqual({ accessKeyId: key.accessKeyId, expiresAt: END, source });
        expect(opened?.secret).toBe(key.secretAccessKey);
      }),
    );
  });

  it('differs each time, in characters that signers and headers accept', () => {
    const keys = Array.from({ length: 200 }, () => mintKey(KEY_SOURCE, K1, OPTIONS));
    for (const part of ['accessKeyId', 'secretAccessKey', 'sessionToken'] as const) {
      expect(new Set(keys.map((key) => key[part])).size).toBe(200);
    }
    for (const { accessKeyId, secretAccessKey, sessionToken } of keys) {
      expect(accessKeyId).toMatch(/^TVMK[A-Z2-7]{16}$/u);
      expect(secretAccessKey).toMatch(/^[\w-]{43}$/u);
      expect(sessionToken).toMatch(/^TVM1\.k1\.[\w-]+$/u);
    }
  });

  it('is refused after a change of any character of its token', () => {
    const { sessionToken, secretAccessKey } = mintKey(KEY_SOURCE, K1, OPTIONS);
    const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';
    for (let at = 0; at < sessionToken.length; at += 1) {
      const other =
        characters[(characters.indexOf(sessionToken[at] ?? '') + 1) % characters.length] ?? '';
      const changed = sessionToken.slice(0, at) + other + sessionToken.slice(at + 1);
      const opened = openKey(changed, ring(K1), 'tvm-1');
      // The last character has bits that are not decoded, but the secret depends on all of them.
      expect(opened?.secret).not.toBe(secretAccessKey);
      if (at < sessionToken.length - 1) expect(opened).toBeUndefined();
    }
  });

  it('is opened only with the same sealing key, under the same name, for the same server', () => {
    const { sessionToken } = mintKey(KEY_SOURCE, K1, OPTIONS);
    expect(openKey(sessionToken, ring(K1), 'tvm-1')).toBeDefined();
    expect(openKey(sessionToken, ring(K1), 'tvm-2')).toBeUndefined();
    expect(openKey(sessionToken, ring(K1), undefined)).toBeUndefined();
    expect(openKey(sessionToken, ring(sealing('k1')), 'tvm-1')).toBeUndefined();
    expect(openKey(sessionToken, new Map([['k2', { ...K1, id: 'k2' }]]), 'tvm-1')).toBeUndefined();
    const renamed = sessionToken.replace('.k1.', '.k2.');
    expect(openKey(renamed, new Map([['k2', { ...K1, id: 'k2' }]]), 'tvm-1')).toBeUndefined();
    // The key's name and the server's id are not joined into one text that two pairs could share.
    const joined = mintKey(KEY_SOURCE, { ...K1, id: 'k' }, { ...OPTIONS, serverId: '1\nx' });
    expect(openKey(joined.sessionToken.replace('.k.', '.k1.'), ring(K1), 'x')).toBeUndefined();
  });

  it('is never opened, without an error, from text that is not a token', () => {
    const near = fc.tuple(
      fc.constantFrom('TVM1.k1.', 'TVM2.k1.', 'TVM1..', ''),
      fc.string(),
      fc.base64String(),
    );
    fc.assert(
      fc.property(near, ([prefix, text, base64]) => {
        expect(openKey(`${prefix}${text}`, ring(K1), 'tvm-1')).toBeUndefined();
        expect(
          openKey(`${prefix}${base64.replaceAll('=', '').padEnd(80, 'A')}`, ring(K1), 'tvm-1'),
        ).toBeUndefined();
      }),
    );
  });

  it('ends at a whole second, rounded down', () => {
    expect(mintKey(KEY_SOURCE, K1, { ...OPTIONS, expiresAt: END + 999 }).expiresAt).toBe(END);
  });

  it('recognises the secret of its source, and no other', () => {
    const opened = openKey(mintKey(KEY_SOURCE, K1, OPTIONS).sessionToken, ring(K1), 'tvm-1');
    const tag = opened?.claims.source.via === 'key' ? opened.claims.source.secretTag : '';
    expect(hasSecret(K1, 'a-secret-of-alice', tag)).toBe(true);
    expect(hasSecret(K1, 'a-secret-of-alicf', tag)).toBe(false);
    expect(hasSecret(K1, 'a-secret-of-alice', '')).toBe(false);
    expect(hasSecret(sealing('k1'), 'a-secret-of-alice', tag)).toBe(false);
  });
});

describe('activeSealingKey', () => {
  it('is the key that became active last, the greater id of two; undefined if none is active', () => {
    const [old, next, future] = [sealing('a', 1), sealing('b', 10), sealing('c', 100)];
    expect(activeSealingKey(ring(old, next, future), 50)?.id).toBe('b');
    expect(activeSealingKey(ring(future, next, old), 100)?.id).toBe('c');
    expect(activeSealingKey(ring(sealing('a', 5), sealing('b', 5)), 5)?.id).toBe('b');
    expect(activeSealingKey(ring(sealing('b', 5), sealing('a', 5)), 5)?.id).toBe('b');
    expect(activeSealingKey(ring(future), 99)).toBeUndefined();
    expect(activeSealingKey(ring(), 99)).toBeUndefined();
  });
});
