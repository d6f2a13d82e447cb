import { describe, expect, it } from 'vitest';
import type { RegisteredKey } from '../../src/identity/key-ring.ts';
import { authenticateKey } from '../../src/identity/registered-key.ts';
import { readWireHead } from '../../src/sigv4/request.ts';
import { readClaim } from '../../src/sigv4/verify.ts';
import { ADMISSION, keyRing, registeredKey } from '../support/identity.ts';
import { amzDateOf, sign } from '../support/sign.ts';

const NOW = Date.parse('2026-01-05T12:00:00Z');
const WINDOW = 300_000;
const SECRET = 'demo-alice-not-a-secret';

function authenticate(
  key: Partial<RegisteredKey> | undefined,
  change: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly secret?: string;
    readonly now?: number;
  } = {},
) {
  const { now = NOW } = change;
  const signed = sign({
    host: 'tvm.example',
    amzDate: amzDateOf(now),
    secret: change.secret ?? SECRET,
    headers: change.headers ?? {},
  });
  const head = readWireHead('GET', '/', Object.entries(signed.headers).flat());
  if (!head.ok) throw new Error(head.refusal.message);
  const claim = readClaim(head.value, {
    region: 'us-east-1',
    service: 'execute-api',
    now,
    window: WINDOW,
  });
  if (!claim.ok) throw new Error(claim.refusal.message);
  const found = key === undefined ? undefined : registeredKey(key);
  const ring = keyRing('111122223333', (id) => (id === 'TVMDEMOALICE' ? found : undefined));
  return authenticateKey(claim.value, { ...head.value, body: new Uint8Array() }, ring, {
    now,
    window: WINDOW,
    admission: ADMISSION,
  });
}

describe('authenticateKey', () => {
  it('gives a caller of the TVM’s own account, with the name in the key’s document', () => {
    expect(authenticate({})).toMatchObject({
      ok: true,
      value: {
        caller: {
          via: 'key',
          account: '111122223333',
          principal: 'sentinel:key/TVMDEMOALICE',
          name: 'alice',
          accessKeyId: 'TVMDEMOALICE',
        },
        replay: { signedAt: NOW, forgetAt: NOW + 2 * WINDOW },
      },
    });
  });

  it('refuses an unknown, disabled or expired key, or one with a session token, with the same words', () => {
    const refusals = [
      authenticate(undefined),
      authenticate({ disabled: true }),
      authenticate({ expiresAtMs: NOW }),
      authenticate({ expiresAtMs: NOW - 1 }),
      authenticate({ expiresAtMs: 0 }),
      authenticate({}, { headers: { 'x-amz-security-token': 'token' } }),
      authenticate(undefined, { secret: 'another' }),
      authenticate({ disabled: true }, { secret: 'another' }),
    ];
    expect(new Set(refusals.map((refusal) => JSON.stringify(refusal))).size).toBe(1);
    expect(refusals[0]).toMatchObject({ ok: false, refusal: { error: 'InvalidClientTokenId' } });
  });

  it('accepts a key until the millisecond at which it expires', () => {
    expect(authenticate({ expiresAtMs: NOW + 1 }).ok).toBe(true);
    expect(authenticate({ expiresAtMs: NOW }).ok).toBe(false);
  });

  it('refuses a signature with another secret', () => {
    expect(authenticate({}, { secret: 'another' })).toMatchObject({
      ok: false,
      refusal: { error: 'SignatureDoesNotMatch' },
    });
  });

  it('refuses an unknown key that is signed with the stand-in secret', () => {
    const standIn = 'no key of this server has this secret';
    expect(authenticate(undefined, { secret: standIn }).ok).toBe(false);
    expect(authenticate({ disabled: true }, { secret: standIn }).ok).toBe(false);
  });
});
