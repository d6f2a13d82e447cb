import { createHash } from 'node:crypto';
import { splitPair, type QueryParameters } from './query.ts';
import type { Header, WireRequest } from './request.ts';

/** Lower-case hexadecimal SHA-256. */
export function sha256Hex(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Percent-encodes everything except RFC 3986's unreserved characters, with upper-case digits. */
export function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/gu,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function byBytes(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

type Pair = readonly [key: string, value: string];

function joinSorted(pairs: readonly Pair[]): string {
  return pairs
    .toSorted((a, b) => byBytes(a[0], b[0]) || byBytes(a[1], b[1]))
    .map(([key, value]) => `${key}=${value}`)
    .join('&');
}

/**
 * The canonical query of the specification: decoded, encoded again, sorted by the encoded keys.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function canonicalQuery(query: QueryParameters): string {
  return joinSorted([...query].map(([key, value]) => [uriEncode(key), uriEncode(value)]));
}

/**
 * The canonical queries that clients sign in practice: (a) the specification's; (b) sorted but not
 * encoded again (botocore); (c) as sent (curl before 8.3). Each determines the decoded parameters,
 * so no two requests with different parameters share one. No candidate reads `+` as `%2B`: then a
 * space and a plus sign would share one.
 */
export function canonicalQueryCandidates(
  rawQuery: string,
  query: QueryParameters,
): readonly string[] {
  if (rawQuery === '') return [''];
  const sorted = joinSorted(rawQuery.split('&').map(splitPair));
  return [...new Set([canonicalQuery(query), sorted, rawQuery])];
}

/**
 * Trims, and folds white space to single spaces, as the specification requires of header values.
 */
function fold(value: string): string {
  return value.trim().replace(/[\t ]+/gu, ' ');
}

/**
 * A line `name:value` for each signed header; repeated headers are joined by commas as received.
 */
function canonicalHeaders(headers: readonly Header[], signedHeaders: readonly string[]): string {
  const values = new Map<string, string>();
  for (const [name, value] of headers) {
    const before = values.get(name);
    values.set(name, before === undefined ? fold(value) : `${before},${fold(value)}`);
  }
  return signedHeaders.map((name) => `${name}:${values.get(name) ?? ''}\n`).join('');
}

/**
 * The canonical request with one of the canonical queries; `payloadHash` is of the body as
 * received.
 */
export function canonicalRequest(
  request: Pick<WireRequest, 'method' | 'path' | 'headers'>,
  query: string,
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  return [
    request.method,
    request.path,
    query,
    canonicalHeaders(request.headers, signedHeaders),
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}
