import { ok, refuse, type Result } from '../lib/result.ts';
import { quoted } from '../lib/unseen.ts';
import type { SigV4Refusal } from './refusal.ts';

/**
 * The decoded parameters of a query; each key occurs once. A `Map`, so `__proto__` is a key like
 * any other.
 */
export type QueryParameters = ReadonlyMap<string, string>;

/** Parameters of one query: several times what any endpoint knows, so that a query costs little. */
const MAX_PARAMETERS = 64;

const MALFORMED = 'holds a malformed escape: every "%" must begin two hexadecimal digits of UTF-8.';
const NUL = 'holds the character NUL (%00), which nothing here is made of; leave it out.';
const TWICE = 'occurs more than once.';
const TWO_NAMELESS =
  'The query holds more than one "&" too many; a "&" within a value is written %26.';

function invalid(message: string) {
  return refuse<SigV4Refusal>({ error: 'ValidationError', message });
}

/** Reads `+` as a space, as HTML forms and AWS's own servers do; a plus sign is sent as `%2B`. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/**
 * Decodes a raw query string. Refuses with `ValidationError`: malformed escapes, bytes that are not
 * UTF-8, NUL, characters that are not allowed in a request target, and a key that occurs twice
 * after decoding.
 */
export function parseQuery(rawQuery: string): Result<QueryParameters, SigV4Refusal> {
  const parameters = new Map<string, string>();
  if (rawQuery === '') return ok(parameters);
  if (!/^[\u0021-\u007e]*$/u.test(rawQuery) || rawQuery.includes('#')) {
    return invalid('The query holds characters that must be percent-encoded.');
  }
  const pairs = rawQuery.split('&');
  if (pairs.length > MAX_PARAMETERS)
    return invalid(`The query has more than ${MAX_PARAMETERS} parameters.`);
  for (const pair of pairs) {
    const [rawKey, rawValue] = splitPair(pair);
    const key = decode(rawKey);
    const value = decode(rawValue);
    if (key === undefined || value === undefined)
      return invalid(`The query parameter ${quoted(rawKey)} ${MALFORMED}`);
    if (key.includes('\0') || value.includes('\0'))
      return invalid(`The query parameter ${quoted(key)} ${NUL}`);
    if (parameters.has(key))
      return invalid(key === '' ? TWO_NAMELESS : `The query parameter ${quoted(key)} ${TWICE}`);
    parameters.set(key, value);
  }
  return ok(parameters);
}

/** Splits `key=value` at the first `=`; a pair without one has an empty value. */
export function splitPair(pair: string): readonly [key: string, value: string] {
  const equals = pair.indexOf('=');
  return equals === -1 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
}
