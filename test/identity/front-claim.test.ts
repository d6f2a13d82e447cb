import { describe, expect, it } from 'vitest';
import { toFrontClaim } from '../../src/identity/front-claim.ts';
import { parseQuery } from '../../src/sigv4/query.ts';
import type { WireRequest } from '../../src/sigv4/request.ts';

/** What tells the copies of a request that AWS verified, with its signature and without. */
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

describe('with the signature that an HTTP API hands over', () => {
  it('is the signature: the same for a copy, however it is folded and whatever unsigned headers it has', () => {
    const key = keyOf(signedBy(authorization()));
    expect(keyOf(signedBy(authorization().replaceAll(', ', ',')))).toBe(key);
    expect(keyOf({ headers: [...(signedBy(authorization()).headers ?? []), ['x-sentinel-nonce', 'other']] })).toBe(key);
    expect(keyOf(signedBy(authorization('b'.repeat(64))))).not.toBe(key);
  });

  it('is another for another key with the same signature', () => {
    const other = 'AKIAIOSFODNN7EXAMPLF';
    expect(keyOf(signedBy(authorization(SIGNATURE, other)), other)).not.toBe(keyOf(signedBy(authorization())));
  });

  it.each([
    ['of a key that only begins alike', [authorization(SIGNATURE, `${KEY}X`)]],
    ['twice', [authorization(), authorization('b'.repeat(64))]],
    ['twice in one header', [`${authorization()},${authorization('b'.repeat(64))}`]],
    ['in capitals', [authorization(SIGNATURE.toUpperCase())]],
    ['with something behind it', [`${authorization()}, Extra=1`]],
    ['of another algorithm', [authorization().replace('HMAC-SHA256', 'ECDSA-P256-SHA256')]],
  ])('refuses one %s: a copy could hide behind it', (_, values) => {
    expect(toFrontClaim(request(signedBy(...values)), KEY, NOW)).toMatchObject({
      ok: false,
      refusal: { error: 'IncompleteSignature' },
    });
  });

  const OTHER = authorization(SIGNATURE, 'AKIAIOSFODNN7EXAMPLF');

  it.each(['garbage', 'Sentinel-STS e30', 'AWS4-HMAC-SHA256 Credential=a', '', OTHER])(
    'takes no notice of %j',
    (value) => {
      expect(keyOf(signedBy(value))).toBe(keyOf({}));
    },
  );
});

describe('without it, as from a REST API or a Function URL', () => {
  it('is the same for a copy, whatever headers beside the time it has', () => {
    const key = keyOf({});
    for (const header of ['x-sentinel-nonce', 'x-amz-security-token', 'user-agent', 'content-type']) {
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

  it('is the same for a query that the adapter wrote in another order or with other escapes', () => {
    expect(keyOf({ rawQuery: 'profile=dev&device_id=a%20b' })).toBe(keyOf({ rawQuery: 'device_id=a+b&profile=%64ev' }));
  });

  it.each<readonly [string, What]>([
    ['time', { headers: [['x-amz-date', '20260105T120001Z']] }],
    ['method', { method: 'POST' }],
    ['path', { path: '/keys' }],
    ['query', { rawQuery: 'profile=dew' }],
    ['key of the query', { rawQuery: 'profile%3Ddev=' }],
    ['body', { body: Buffer.from('{}') }],
  ])('is another for another %s', (_, what) => {
    expect(keyOf(what)).not.toBe(keyOf({}));
  });

  it('is another for another access key', () => {
    expect(keyOf({}, 'AKIAIOSFODNN7EXAMPLF')).not.toBe(keyOf({}));
  });

  it('is none without a time, and a refusal with one that is none', () => {
    expect(toFrontClaim(request({ headers: [] }), KEY, NOW)).toEqual({ ok: true, value: undefined });
    for (const dates of [['20260105'], [''], [DATE, DATE], [`${DATE}, ${DATE}`]]) {
      const headers = dates.map((date) => ['x-amz-date', date] as const);
      expect(toFrontClaim(request({ headers }), KEY, NOW), dates.join()).toMatchObject({
        ok: false,
        refusal: { error: 'IncompleteSignature' },
      });
    }
  });
});

it('is remembered for longer than AWS may take the signature', () => {
  const claim = toFrontClaim(request(), KEY, NOW);
  expect(claim).toMatchObject({ ok: true, value: { signedAt: Date.parse('2026-01-05T12:00:00Z') } });
  expect(claim.ok ? claim.value?.forgetAt : 0).toBeGreaterThanOrEqual(NOW + 30 * 60_000);
});
