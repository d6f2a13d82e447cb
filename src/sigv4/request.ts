import { ok, refuse, type Result } from '../lib/result.ts';
import { parseQuery, type QueryParameters } from './query.ts';
import type { SigV4Refusal } from './refusal.ts';

/** One header as received: the name in lower case, the value without outer white space. */
export type Header = readonly [name: string, value: string];

/**
 * A request exactly as it was sent. Signatures are verified over nothing else, because frameworks
 * rewrite paths and merge headers.
 */
export type WireRequest = {
  readonly method: string;
  /** The path of the request line, verbatim; unreserved characters and `/` only. */
  readonly path: string;
  /** The text after the `?`, verbatim; empty if there is none. */
  readonly rawQuery: string;
  /** The decoded query; the verifier and the routes use the same. */
  readonly query: QueryParameters;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
};

/** A request without its body: what is known before the body is read. */
export type WireHead = Omit<WireRequest, 'body'>;

/**
 * Unreserved characters (RFC 3986 §2.3) in segments that do not begin with a dot. For such a path
 * the rules of all signers (encode once, encode twice, normalise) give the same canonical URI. Each
 * character can be matched in only one way, so the expression runs in linear time.
 */
const PLAIN_PATH =
  /^\/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*\/?)?$/u;

/** Characters of a request target, so that reading one is bounded work. */
const MAX_TARGET = 8_192;

function invalid(message: string) {
  return refuse<SigV4Refusal>({ error: 'ValidationError', message });
}

/**
 * Reads a request's first line and headers from what Node's parser passes on verbatim (`url`,
 * `rawHeaders`). Refuses with `ValidationError` everything that two readers could understand
 * differently: absolute-form targets, dot segments, escapes in the path, repeated query keys,
 * several Host headers, bytes beyond ASCII in headers.
 */
export function readWireHead(
  method: string,
  target: string,
  rawHeaders: readonly string[],
): Result<WireHead, SigV4Refusal> {
  if (target.length > MAX_TARGET)
    return invalid(`The request target is longer than ${MAX_TARGET} characters.`);
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const rawQuery = mark === -1 ? '' : target.slice(mark + 1);
  if (!PLAIN_PATH.test(path)) {
    return invalid(
      'The path must begin with one "/" and hold only letters, digits and "._~-", without dot segments.',
    );
  }
  const query = parseQuery(rawQuery);
  if (!query.ok) return query;
  const headers = readHeaders(rawHeaders);
  if (!headers.ok) return headers;
  return ok({ method, path, rawQuery, query: query.value, headers: headers.value });
}

function readHeaders(rawHeaders: readonly string[]): Result<readonly Header[], SigV4Refusal> {
  const headers: Header[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    if (!/^[\t\u0020-\u007e]*$/u.test(value)) {
      return invalid(`The header "${name}" holds bytes outside printable ASCII; encode them.`);
    }
    headers.push([name, value]);
  }
  const hosts = headers.filter(([name]) => name === 'host').length;
  if (hosts !== 1) return invalid(`The request has ${hosts} Host headers; send exactly one.`);
  return ok(headers);
}

/** All values of one header, in the order received. `name` is in lower case. */
export function headerValues(headers: readonly Header[], name: string): readonly string[] {
  return headers.filter(([candidate]) => candidate === name).map(([, value]) => value);
}
