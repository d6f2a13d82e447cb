import { beforeEach, expect, it, vi } from 'vitest';
import type { RegisteredKey } from '../../src/identity/key-ring.ts';
import { authenticateKey } from '../../src/identity/registered-key.ts';
import { readWireHead } from '../../src/sigv4/request.ts';
import { readClaim } from '../../src/sigv4/verify.ts';
import { ADMISSION, keyRing, registeredKey } from '../support/identity.ts';
import { shot } from './support.ts';

const work = vi.hoisted(() => ({ done: [] as string[] }));

/**
 * Counts hashes and comparisons. The signer of the tests hashes too, so the count is cleared after
 * it.
 */
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return {
    ...crypto,
    createHash: (algorithm: string) => (work.done.push('hash'), crypto.createHash(algorithm)),
    createHmac: (algorithm: string, key: string) => (
      work.done.push('hmac'),
      crypto.createHmac(algorithm, key)
    ),
    timingSafeEqual: (a: Uint8Array, b: Uint8Array) => (
      work.done.push('compare'),
      crypto.timingSafeEqual(a, b)
    ),
  };
});

const KNOWN = registeredKey();
const WINDOW = 300_000;

function workFor(
  key: RegisteredKey | undefined,
  query: string,
): { readonly error?: string; readonly done: string } {
  const now = Date.now();
  const { target, headers } = shot({ host: 'tvm.example' }, { query });
  const head = readWireHead('GET', target, headers.flat());
  if (!head.ok) throw new Error(head.refusal.message);
  const claim = readClaim(head.value, {
    region: 'us-east-1',
    service: 'execute-api',
    now,
    window: WINDOW,
  });
  if (!claim.ok) throw new Error(claim.refusal.message);
  const ring = keyRing('000000000000', () => key);
  work.done = [];
  const known = authenticateKey(claim.value, { ...head.value, body: new Uint8Array(9) }, ring, {
    now,
    window: WINDOW,
    admission: ADMISSION,
  });
  return { ...(known.ok ? {} : { error: known.refusal.error }), done: work.done.join(' ') };
}

beforeEach(() => {
  work.done = [];
});

it.each(['profile=dev', 'profile=dev&device_id=a+b', 'b=%2F&a=1'])(
  '38 does the same work for unknown, disabled and expired keys as for a wrong secret (%s)',
  (query) => {
    const wrong = workFor(KNOWN, query);
    expect(wrong.error).toBe('SignatureDoesNotMatch');
    expect(wrong.done).toMatch(/hmac.*compare/u);
    for (const key of [undefined, { ...KNOWN, disabled: true }, { ...KNOWN, expiresAtMs: 1 }]) {
      expect(workFor(key, query)).toEqual({ error: 'InvalidClientTokenId', done: wrong.done });
    }
  },
);
