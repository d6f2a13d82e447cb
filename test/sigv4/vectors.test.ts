import { describe, expect, it } from 'vitest';
import { parseAuthorization } from '../../src/sigv4/authorization.ts';
import { canonicalQuery, canonicalRequest, sha256Hex } from '../../src/sigv4/canonical.ts';
import { readWireHead, type WireHead } from '../../src/sigv4/request.ts';
import { formatScope, signature, signingKey, stringToSign } from '../../src/sigv4/signature.ts';
import { readClaim, verifyClaim } from '../../src/sigv4/verify.ts';
import published from './aws-vectors.json' with { type: 'json' };

/**
 * AWS's published vectors: canonical request, string to sign and signature, then the whole
 * verification.
 */
type Vector = (typeof published.vectors)[number];

const NOW = Date.UTC(2015, 7, 30, 12, 36, 0);

/** Requests of the suite that the server refuses on purpose, each with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  'get-header-value-multiline': 'a header over several lines, which HTTP no longer allows',
  'get-relative': 'dot segments',
  'get-relative-relative': 'dot segments',
  'get-slash': 'an empty segment',
  'get-slash-dot-slash': 'a dot segment',
  'get-slash-pointless-dot': 'a dot segment',
  'get-slashes': 'empty segments',
  'get-space': 'a space in the path',
  'get-special-character': 'a character in the path that signers encode differently',
  'get-utf8': 'UTF-8 in the path',
  'get-vanilla-query-order-key': 'a repeated query key',
  'get-vanilla-query-order-value': 'a repeated query key',
  'get-vanilla-utf8-query': 'raw UTF-8 in the query',
};

/** A well-formed request whose token was added after signing, so nothing proves who added it. */
const UNSIGNED_TOKEN = 'post-sts-header-after';

/** The suite's credentials have a token; in this request the signer is to add it. */
const ADDED: Readonly<Record<string, readonly string[]>> = {
  'get-vanilla-with-session-token': [
    'X-Amz-Security-Token',
    '6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267',
  ],
};

function parse({ name, request, authorization }: Vector) {
  const end = request.indexOf('\n\n');
  const [first = '', ...lines] = (end === -1 ? request : request.slice(0, end))
    .replace(/\n(?=[\t ])/gu, '\r')
    .split('\n');
  const raw = lines.flatMap((line) => [
    line.slice(0, line.indexOf(':')),
    line.slice(line.indexOf(':') + 1).trim(),
  ]);
  const target = first.slice(first.indexOf(' ') + 1, first.lastIndexOf(' '));
  return {
    method: first.slice(0, first.indexOf(' ')),
    target,
    rawHeaders: [...raw, ...(ADDED[name] ?? []), 'Authorization', authorization],
    body: new TextEncoder().encode(end === -1 ? '' : request.slice(end + 2)),
  };
}

function readHead(vector: Vector) {
  const { method, target, rawHeaders } = parse(vector);
  return readWireHead(method, target, rawHeaders);
}

function unwrap<Value>(
  result:
    | { readonly ok: true; readonly value: Value }
    | { readonly ok: false; readonly refusal: unknown },
): Value {
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.value;
}

const { region, service, secretAccessKey: secret } = published;
const accepted = published.vectors.filter(({ name }) => REFUSED[name] === undefined);

function byName(vectors: readonly Vector[]) {
  return vectors.map((vector) => [vector.name, vector] as const);
}

describe('AWS’s published vectors', () => {
  it('are complete, and include each one that is listed as refused', () => {
    expect(published.vectors).toHaveLength(34);
    const names = published.vectors.map(({ name }) => name);
    expect(
      [...Object.keys(REFUSED), UNSIGNED_TOKEN].filter((name) => !names.includes(name)),
    ).toEqual([]);
  });

  it.each(byName(accepted))(
    '%s has the published canonical request, string to sign and signature',
    (_, vector) => {
      const head = unwrap(readHead(vector));
      const claim = unwrap(parseAuthorization(vector.authorization));
      const canonical = canonicalRequest(
        head,
        canonicalQuery(head.query),
        claim.signedHeaders,
        sha256Hex(parse(vector).body),
      );
      expect(canonical).toBe(vector.canonicalRequest);
      const text = stringToSign('20150830T123600Z', claim.scope, canonical);
      expect(text).toBe(vector.stringToSign);
      expect(formatScope(claim.scope)).toBe('20150830/us-east-1/service/aws4_request');
      expect(signature(signingKey(secret, claim.scope), text)).toBe(claim.signature);
    },
  );

  function verify(head: WireHead, vector: Vector) {
    const claim = readClaim(head, { region, service, now: NOW, window: 0 });
    return claim.ok
      ? verifyClaim(claim.value, { ...head, body: parse(vector).body }, secret)
      : claim;
  }

  it.each(byName(accepted.filter(({ name }) => name !== UNSIGNED_TOKEN)))(
    '%s verifies as a whole',
    (_, vector) => {
      expect(verify(unwrap(readHead(vector)), vector)).toEqual({ ok: true, value: undefined });
    },
  );

  it.each(byName(accepted.filter(({ name }) => name !== UNSIGNED_TOKEN)))(
    '%s does not verify with another body',
    (_, vector) => {
      const head = unwrap(readHead(vector));
      const claim = unwrap(readClaim(head, { region, service, now: NOW, window: 0 }));
      const body = new TextEncoder().encode('another body');
      expect(verifyClaim(claim, { ...head, body }, secret)).toMatchObject({
        refusal: { error: 'SignatureDoesNotMatch' },
      });
    },
  );

  it.each(byName(published.vectors.filter(({ name }) => REFUSED[name] !== undefined)))(
    '%s is refused before its signature is looked at',
    (_, vector) => {
      expect(readHead(vector)).toMatchObject({ ok: false, refusal: { error: 'ValidationError' } });
    },
  );

  it(`${UNSIGNED_TOKEN} is refused because its token is not signed`, () => {
    const vector = accepted.find(({ name }) => name === UNSIGNED_TOKEN);
    if (vector === undefined) throw new Error('the vector is gone');
    const head = unwrap(readHead(vector));
    const withToken = {
      ...head,
      headers: [...head.headers, ['x-amz-security-token', 'added later'] as const],
    };
    expect(verify(withToken, vector)).toMatchObject({ refusal: { error: 'AccessDenied' } });
  });
});
