import { ok, refuse, type Result } from '../lib/result.ts';
import { headerValues, type WireRequest } from '../sigv4/request.ts';
import type { Refusal } from './refusals.ts';

const JSON_TYPE = /^application\/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/iu;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

const invalid = (message: string) => refuse<Refusal>({ kind: 'invalid', message });

/**
 * Reads the body of a request as one JSON object whose values are neither objects nor lists: no endpoint takes more.
 * Refuses a query beside it, another content type, an encoding, bytes that are not UTF-8, and repeated keys.
 */
export const readJsonBody = (request: WireRequest): Result<Readonly<Record<string, unknown>>, Refusal> => {
  if (request.rawQuery !== '')
    return invalid('Send the fields in the query or in the body, not in both; POST takes a body.');
  if (request.body.length === 0) return invalid('The body is empty; send a JSON object like {"profile":"dev"}.');
  const types = headerValues(request.headers, 'content-type');
  if (types.length !== 1 || !JSON_TYPE.test(types[0] ?? '')) {
    return invalid('The body must be sent with the header "content-type: application/json".');
  }
  if (headerValues(request.headers, 'content-encoding').length > 0) {
    return invalid('The body must be sent without a content-encoding.');
  }
  const value = parse(request.body);
  if (value === undefined) return invalid('The body is not JSON in UTF-8.');
  const text = value.text.trim();
  if (typeof value.json !== 'object' || value.json === null || Array.isArray(value.json)) {
    return invalid('The body must be one JSON object like {"profile":"dev"}.');
  }
  const entries = Object.entries(value.json);
  if (entries.some(([, item]) => typeof item === 'object' && item !== null)) {
    return invalid('The values of the fields must be text or numbers, not objects or lists.');
  }
  if (countKeys(text) !== entries.length) return invalid('A field of the body occurs more than once.');
  return ok(Object.fromEntries(entries));
};

const parse = (body: Uint8Array): { readonly json: unknown; readonly text: string } | undefined => {
  try {
    const text = UTF8.decode(body);
    return { json: JSON.parse(text), text };
  } catch {
    return undefined;
  }
};

/** In the text of a flat JSON object, the strings that a colon follows are its keys. `JSON.parse` keeps only the last of equals. */
const countKeys = (text: string): number =>
  [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/gu)].filter(([, colon]) => colon).length;
