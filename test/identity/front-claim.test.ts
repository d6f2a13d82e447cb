import { describe, expect, it } from 'vitest';
import { toFrontClaim } from '../../src/identity/front-claim.ts';
import { parseQuery } from '../../src/sigv4/query.ts';
import type { WireRequest } from '../../src/sigv4/request.ts';

/** What identifies copies of a request that AWS verified, with its signature and without it. */
const NOW = Date.parse('2026-01-05T12:00:10Z');
const DATE = '20260105T120000Z';
const KEY = 'AKIAIOSFODNN7EXAMPLE';
const SIGNATURE = 'a'.repeat(64);

function authorization(signature = SIGNATURE, key = KEY): string {
  return `AWS4-HMAC-SHA256 Credential=${key}/20260105/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`;
}

type What = Partial<WireRequest>;

function request({ rawQuery = 'profile=dev', ...what }: What = {}): WireRequest {
  const query = parseQuery(rawQuery);
  if (!query.ok) throw new Error(query.refusal.message);
  return {
    method: 'GET',
    path: '/',
    rawQuery,
    query: query.value,
    headers: [['x-amz-date', DATE]],
    body: new Uint8Array(),
    ...what,
  };
}

function keyOf(what: What, accessKeyId = KEY): string | undefined {
  const claim = toFrontClaim(request(what), accessKeyId, NOW);
  if (!claim.ok) throw new Error(claim.refusal.message);
  return claim.value?.key;
}

function signedBy(...values: readonly string[]): What {
  return {
    headers: [['x-amz-date', DATE], ...values.map((value) => ['authorization', value] as const)],
  };
}

describe('toFrontClaim with the signature, as an HTTP API passes it on', () => {
  it('gives a copy the same claim, whatever its white space and its unsigned headers', () => {
    const key = keyOf(signedBy(authorization()));
    expect(keyOf(signedBy(authorization().replaceAll(', ', ',')))).toBe(key);
    expect(
      keyOf({
        headers: [...(signedBy(authorization()).headers ?? []), ['x-sentinel-nonce', 'other']],
      }),
    ).toBe(key);
    expect(keyOf(signedBy(authorization('b'.repeat(64))))).not.toBe(key);
  });

  it('gives another claim for another access key with the same signature', () => {
    const other = 'AKIAIOSFODNN7EXAMPLF';
    expect(keyOf(signedBy(authorization(SIGNATURE, other)), other)).not.toBe(
      keyOf(signedBy(authorization())),
    );
  });

  it.each([
    ['of another key that begins alike', [authorization(SIGNATURE, `${KEY}X`)]],
    ['twice', [authorization(), authorization('b'.repeat(64))]],
    ['twice in one header', [`${authorization()},${authorization('b'.repeat(64))}`]],
    ['in capitals', [authorization(SIGNATURE.toUpperCase())]],
    ['with something after it', [`${authorization()}, Extra=1`]],
    ['of another algorithm', [authorization().replace('HMAC-SHA256', 'ECDSA-P256-SHA256')]],
  ])('refuses a signature %s, because a copy could hide behind it', (_, values) => {
    expect(toFrontClaim(request(signedBy(...values)), KEY, NOW)).toMatchObject({
      ok: false,
      refusal: { error: 'IncompleteSignature' },
    });
  });

  const OTHER = authorization(SIGNATURE, 'AKIAIOSFODNN7EXAMPLF');

  it.each(['garbage', 'Sentinel-STS e30', 'AWS4-HMAC-SHA256 Credential=a', '', OTHER])(
    'ignores the Authorization header %j',
    (value) => {
      expect(keyOf(signedBy(value))).toBe(keyOf({}));
    },
  );
});

describe('toFrontClaim without the signature, as behind a REST API or a Function URL', () => {
  it('gives a copy the same claim, whatever other headers it has', () => {
    const key = keyOf({});
    for (const header of [
      'x-sentinel-nonce',
      'x-amz-security-token',
      'user-agent',
      'content-type',
    ]) {
      expect(
        keyOf({
          headers: [
            ['x-amz-date', DATE],
            [header, 'x'],
          ],
        }),
        header,
      ).toBe(key);
    }
  });

  it('gives the same claim for a query in another order or with other escapes', () => {
    expect(keyOf({ rawQuery: 'profile=dev&device_id=a%20b' })).toBe(
      keyOf({ rawQuery: 'device_id=a+b&profile=%64ev' }),
    );
  });

  it.each<readonly [string, What]>([
    ['time', { headers: [['x-amz-date', '20260105T120001Z']] }],
    ['method', { method: 'POST' }],
    ['path', { path: '/keys' }],
    ['query', { rawQuery: 'profile=dew' }],
    ['key of the query', { rawQuery: 'profile%3Ddev=' }],
    ['body', { body: Buffer.from('{}') }],
  ])('gives another claim for another %s', (_, what) => {
    expect(keyOf(what)).not.toBe(keyOf({}));
  });

  it('gives another claim for another access key', () => {
    expect(keyOf({}, 'AKIAIOSFODNN7EXAMPLF')).not.toBe(keyOf({}));
  });

  it('gives no claim without x-amz-date, and refuses a malformed or repeated one', () => {
    expect(toFrontClaim(request({ headers: [] }), KEY, NOW)).toEqual({
      ok: true,
      value: undefined,
    });
    for (const dates of [['20260105'], [''], [DATE, DATE], [`${DATE}, ${DATE}`]]) {
      const headers = dates.map((date) => ['x-amz-date', date] as const);
      expect(toFrontClaim(request({ headers }), KEY, NOW), dates.join()).toMatchObject({
        ok: false,
        refusal: { error: 'IncompleteSignature' },
      });
    }
  });
});

it('toFrontClaim is remembered for longer than AWS may accept the signature', () => {
  const claim = toFrontClaim(request(), KEY, NOW);
  expect(claim).toMatchObject({
    ok: true,
    value: { signedAt: Date.parse('2026-01-05T12:00:00Z') },
  });
  expect(claim.ok ? claim.value?.forgetAt : 0).toBeGreaterThanOrEqual(NOW + 30 * 60_000);
});
