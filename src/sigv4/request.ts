import { ok, refuse, type Result } from '../lib/result.ts';
import { parseQuery, type QueryParameters } from './query.ts';
import type { SigV4Refusal } from './refusal.ts';

/** One header as received: the name in lower case, the value with its outer white space gone. */
export type Header = readonly [name: string, value: string];

/**
 * A request as it stood on the wire, the only thing that signatures are verified over. Frameworks rewrite paths and
 * merge headers; what was signed is what was sent.
 */
export type WireRequest = {
  readonly method: string;
  /** The path of the request line, verbatim; unreserved characters and `/` only. */
  readonly path: string;
  /** What follows the `?`, verbatim; empty if there is none. */
  readonly rawQuery: string;
  /** The query decoded once, for the verifier and the routes alike. */
  readonly query: QueryParameters;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
};

/** The request without its body: what is known before the body is read. */
export type WireHead = Omit<WireRequest, 'body'>;

/**
 * Unreserved characters (RFC 3986 §2.3) in segments that do not begin with a dot: the paths on which every signer's
 * rule (encode once, encode twice, normalise) comes to the same canonical URI. Each character can be matched in one way
 * only, so that the expression runs in linear time.
 */
const PLAIN_PATH = /^\/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*\/?)?$/u;

const MAX_TARGET = 8_192;

function invalid(message: string) {
  return refuse<SigV4Refusal>({ error: 'ValidationError', message });
}

/**
 * Reads a request's first line and headers from what Node's parser hands over verbatim (`url`, `rawHeaders`). Refuses
 * with `ValidationError` whatever two readers could take for two different requests: absolute-form targets, dot
 * segments, escapes in the path, repeated query keys, several Host headers, bytes beyond ASCII in headers.
 */
export function readWireHead(
  method: string,
  target: string,
  rawHeaders: readonly string[],
): Result<WireHead, SigV4Refusal> {
  if (target.length > MAX_TARGET) return invalid(`The request target is longer than ${MAX_TARGET} characters.`);
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const rawQuery = mark === -1 ? '' : target.slice(mark + 1);
  if (!PLAIN_PATH.test(path)) {
    return invalid('The path must begin with one "/" and hold only letters, digits and "._~-", without dot segments.');
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
