import type * as v from 'valibot';
import type { Fields } from '../contract/fields.ts';
import { ok, type Result } from '../lib/result.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import { quoted } from '../lib/unseen.ts';
import { headerValues, type WireRequest } from '../sigv4/request.ts';
import { invalid, readFields } from './fields.ts';
import type { Refusal } from './refusals.ts';

const JSON_TYPE = /^application\/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/iu;

/** JSON can hold it, as `\\ud83d` without its other half, but no table and no file can. */
const HALF = 'half of a character (a lone surrogate)';

/**
 * Reads the fields of a route that takes a body; the example is for whoever sent something else.
 */
export function readBody<Entries extends v.ObjectEntries>(
  request: WireRequest,
  { body, example }: { readonly body: Fields<Entries>; readonly example: string },
): Result<v.InferOutput<v.ObjectSchema<Entries, undefined>>, Refusal> {
  const checked = checkHead(request, example);
  if (!checked.ok) return checked;
  const given = parseBody(request.body, example);
  return given.ok ? readFields(body, given.value, 'field') : given;
}

/** Refuses a query beside the body, no body, another content type, and an encoding. */
function checkHead(request: WireRequest, example: string): Result<undefined, Refusal> {
  if (request.rawQuery !== '') {
    return invalid('Send the fields in the query or in the body, not in both; POST takes a body.');
  }
  if (request.body.length === 0)
    return invalid(`The body is empty; send a JSON object like ${example}.`);
  const types = headerValues(request.headers, 'content-type');
  if (types.length !== 1 || !JSON_TYPE.test(types[0] ?? '')) {
    return invalid('The body must be sent with the header "content-type: application/json".');
  }
  if (headerValues(request.headers, 'content-encoding').length > 0) {
    return invalid('The body must be sent without a content-encoding.');
  }
  return ok(undefined);
}

/**
 * Reads a body as one JSON object whose values are neither objects nor lists: no endpoint takes
 * more. Refuses bytes that are not UTF-8, and repeated keys.
 */
function parseBody(
  body: Uint8Array,
  example: string,
): Result<Readonly<Record<string, unknown>>, Refusal> {
  const parsed = parseStrictJson(body);
  if (!parsed.ok) {
    return invalid(
      parsed.refusal === 'not-json'
        ? 'The body is not JSON in UTF-8.'
        : 'A field of the body occurs more than once.',
    );
  }
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return invalid(`The body must be one JSON object like ${example}.`);
  }
  const entries = Object.entries(value);
  const nested = entries.find(([, item]) => typeof item === 'object' && item !== null)?.[0];
  if (nested !== undefined) {
    return invalid(
      `The field ${quoted(nested)} must be text or a number, not an object or a list.`,
      nested,
    );
  }
  const halved = entries.find(([, item]) => typeof item === 'string' && !item.isWellFormed())?.[0];
  if (halved !== undefined) {
    // A table would refuse it, and nobody else could read it.
    return invalid(`The field ${quoted(halved)} holds ${HALF}.`, halved);
  }
  return ok(Object.fromEntries(entries));
}
