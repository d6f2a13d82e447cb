import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAmzDate, parseAmzDate } from '../../src/sigv4/amz-date.ts';
import { parseAuthorization } from '../../src/sigv4/authorization.ts';
import { canonicalQueryCandidates, uriEncode } from '../../src/sigv4/canonical.ts';
import { parseQuery } from '../../src/sigv4/query.ts';
import { readWireHead } from '../../src/sigv4/request.ts';
import { readClaim, verifyClaim } from '../../src/sigv4/verify.ts';

/**
 * Our verifier against AWS's own JavaScript signer, which shares no code with it, on generated
 * requests.
 */
const NOW = Date.UTC(2026, 0, 5, 12, 0, 0);
const EXPECTED = { region: 'eu-central-1', service: 'execute-api', now: NOW, window: 0 };

const segment = fc.stringMatching(/^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,8}$/u);
const path = fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
const text = fc
  .string({ unit: 'binary', maxLength: 12 })
  .filter((value) => value.isWellFormed() && !value.includes('\0'));
const query = fc.uniqueArray(fc.tuple(text, text), { maxLength: 6, selector: ([key]) => key });
const headerName = fc
  .stringMatching(/^x-[a-z][a-z0-9-]{0,8}$/u)
  .filter((name) => !/^x-(?:amz|sentinel)-/u.test(name));
const headerValue = fc.stringMatching(/^[\u0020-\u007e]{0,20}$/u);

const request = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  path,
  query,
  headers: fc.uniqueArray(fc.tuple(headerName, headerValue), {
    maxLength: 4,
    selector: ([name]) => name,
  }),
  body: fc.uint8Array({ maxLength: 64 }),
  secret: fc.stringMatching(/^[\u0021-\u007e]{8,40}$/u),
  token: fc.option(fc.stringMatching(/^[A-Za-z0-9+/=]{1,40}$/u), { nil: undefined }),
});

type Generated = typeof request extends fc.Arbitrary<infer Value> ? Value : never;

function encode(given: Generated['query']): string {
  return given.map(([key, value]) => `${uriEncode(key)}=${uriEncode(value)}`).join('&');
}

async function signWithOracle(given: Generated) {
  const signer = new SignatureV4({
    credentials: {
      accessKeyId: 'TVMORACLE',
      secretAccessKey: given.secret,
      ...(given.token === undefined ? {} : { sessionToken: given.token }),
    },
    region: EXPECTED.region,
    service: EXPECTED.service,
    sha256: Sha256,
    uriEscapePath: true,
  });
  const { headers } = await signer.sign(
    {
      method: given.method,
      protocol: 'https:',
      hostname: 'tvm.example.com',
      path: given.path,
      query: Object.fromEntries(given.query),
      headers: { host: 'tvm.example.com', ...Object.fromEntries(given.headers) },
      body: given.body,
    },
    { signingDate: new Date(NOW) },
  );
  return Object.entries(headers).flat();
}

function verify(
  given: Omit<Generated, 'query' | 'token' | 'headers'> & { readonly rawQuery: string },
  rawHeaders: readonly string[],
) {
  const target = given.rawQuery === '' ? given.path : `${given.path}?${given.rawQuery}`;
  const head = readWireHead(given.method, target, rawHeaders);
  if (!head.ok) return head;
  const claim = readClaim(head.value, EXPECTED);
  return claim.ok
    ? verifyClaim(claim.value, { ...head.value, body: given.body }, given.secret)
    : claim;
}

describe('a request that AWS’s own signer signed', () => {
  it('verifies with its query in any order', async () => {
    await fc.assert(
      fc.asyncProperty(request, fc.infiniteStream(fc.nat()), async (given, dice) => {
        // The signer takes the query as a plain object, in which a key `__proto__` is lost.
        fc.pre(given.query.every(([key]) => key !== '__proto__' && !/^x-amz-/iu.test(key)));
        const signed = await signWithOracle(given);
        const shuffled = given.query.toSorted(() => ((dice.next().value ?? 0) % 2 === 0 ? 1 : -1));
        expect(verify({ ...given, rawQuery: encode(shuffled) }, signed)).toEqual({
          ok: true,
          value: undefined,
        });
      }),
      { numRuns: 200 },
    );
  });

  it('does not verify with another method, path, query, body, header or secret', async () => {
    await fc.assert(
      fc.asyncProperty(request, text, async (given, other) => {
        fc.pre(
          given.query.every(
            ([key]) => key !== '__proto__' && key !== other && !/^x-amz-/iu.test(key),
          ),
        );
        fc.pre(!/^x-amz-/iu.test(other));
        const signed = await signWithOracle(given);
        const sent = { ...given, rawQuery: encode(given.query) };
        const changed = [
          verify({ ...sent, method: given.method === 'GET' ? 'PUT' : 'GET' }, signed),
          verify({ ...sent, path: `${given.path === '/' ? '' : given.path}/x` }, signed),
          verify({ ...sent, rawQuery: encode([...given.query, [other, '1']]) }, signed),
          verify(
            {
              ...sent,
              rawQuery: encode(given.query.map(([key, value]) => [key, `${value}x`])),
              secret: `${given.secret}x`,
            },
            signed,
          ),
          verify({ ...sent, body: Uint8Array.of(...given.body, 0) }, signed),
          verify(
            sent,
            signed.map((value) => (value === 'tvm.example.com' ? 'tvm.example.org' : value)),
          ),
        ];
        for (const result of changed) expect(result.ok).toBe(false);
      }),
      { numRuns: 100 },
    );
  });
});

describe('parseQuery', () => {
  it('decodes to what was encoded', () => {
    fc.assert(
      fc.property(query, (given) => {
        const parsed = parseQuery(encode(given));
        expect(parsed).toEqual({ ok: true, value: new Map(given) });
      }),
    );
  });

  it('gives queries of different meaning no canonical form in common', () => {
    // Few pieces, so that collisions would be found: escapes in both cases, plus, equals, and the
    // letters that they stand for.
    const piece = fc.constantFrom(
      'a',
      'b',
      '+',
      '%20',
      '%2B',
      '%2b',
      '%61',
      '=',
      '%3D',
      '&',
      '%26',
      '%25',
    );
    const raw = fc.array(piece, { maxLength: 7 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(raw, raw, (left, right) => {
        const [a, b] = [parseQuery(left), parseQuery(right)];
        fc.pre(a.ok && b.ok);
        if (!a.ok || !b.ok) return;
        const shared = new Set(canonicalQueryCandidates(left, a.value));
        const meets = canonicalQueryCandidates(right, b.value).some((candidate) =>
          shared.has(candidate),
        );
        function flat(given: ReadonlyMap<string, string>) {
          return JSON.stringify([...given].toSorted());
        }
        // An empty query and one with an empty key are the same to a route: neither names a
        // parameter.
        if (meets && left !== '' && right !== '') expect(flat(a.value)).toBe(flat(b.value));
      }),
      { numRuns: 20_000 },
    );
  });

  it('refuses queries that no client can mean', () => {
    for (const raw of [
      '%',
      '%z',
      '%zz',
      '%ff',
      '%c3%28',
      'a=%00',
      '%00',
      'a=1&a=2',
      'a=1&%61=2',
      'a&a=',
      'a=\u00fc',
      'a b',
      'a#b',
    ]) {
      expect([raw, parseQuery(raw)]).toMatchObject([
        raw,
        { ok: false, refusal: { error: 'ValidationError' } },
      ]);
    }
  });
});

describe('dates and the Authorization header', () => {
  it('parseAmzDate reads every second that formatAmzDate writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) / 1000 }), (second) => {
        expect(parseAmzDate(formatAmzDate(second * 1000))).toBe(second * 1000);
      }),
    );
  });

  it('parseAmzDate refuses a date that does not exist', () => {
    for (const date of [
      '20261331T000000Z',
      '20260230T000000Z',
      '20260101T240000Z',
      '20260101T006000Z',
      '20260101T000060Z',
      '20260101T000000',
      '2026-01-01T00:00:00Z',
      '',
    ]) {
      expect([date, parseAmzDate(date)]).toEqual([date, undefined]);
    }
  });

  it('parseAuthorization never throws', () => {
    const words = fc.constantFrom(
      'AWS4-HMAC-SHA256 ',
      'Credential=',
      'a/20260101/r/s/aws4_request',
      ',',
      ' ',
      'SignedHeaders=',
      'host;x-amz-date',
      ';',
      'Signature=',
      'f'.repeat(64),
      '=',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 12 }).map((parts) => parts.join('')),
        ),
        (value) => {
          const parsed = parseAuthorization(value);
          expect(parsed.ok || parsed.refusal.error === 'IncompleteSignature').toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
