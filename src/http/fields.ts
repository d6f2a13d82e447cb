import * as v from 'valibot';
import type { Fields, IdForm } from '../contract/fields.ts';
import { idIn } from '../contract/paths.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { escapeUnseen, quoted } from '../lib/unseen.ts';
import type { WireRequest } from '../sigv4/request.ts';
import type { Refusal } from './refusals.ts';

/** The refusal of a request that cannot be understood; `field` names what is to be mended. */
export function invalid(message: string, field?: string) {
  return refuse<Refusal>({
    kind: 'invalid',
    message,
    ...(field === undefined ? {} : { field: escapeUnseen(field) }),
  });
}

/**
 * The refusal of a name that means nothing here; `there` says what does, after "there is" or "there
 * are".
 */
function unknownName(what: string, name: string, there: string) {
  return name === ''
    ? invalid(
        `A ${what} has no name: there is a "&" or "=" too many, or one within a value that is not %26 or %3D.`,
        name,
      )
    : invalid(`The ${what} ${quoted(name)} is not known here; ${there}.`, name);
}

/** The names of fields that callers are told of. */
function toldKeys({ keys, quiet }: Fields): readonly string[] {
  return [...keys].filter((key) => !quiet.includes(key));
}

/**
 * Reads fields strictly: one that is unknown, missing or out of form is refused by its name.
 *
 * @param what they are called to the caller: `field`, `query parameter`
 */
export function readFields<Entries extends v.ObjectEntries>(
  fields: Fields<Entries>,
  given: Readonly<Record<string, unknown>>,
  what: string,
): Result<v.InferOutput<v.ObjectSchema<Entries, undefined>>, Refusal> {
  const { schema, keys, hints } = fields;
  const unknown = Object.keys(given).find((key) => !keys.has(key));
  if (unknown !== undefined)
    return unknownName(what, unknown, `there are ${toldKeys(fields).join(', ')}`);
  const missing = Object.entries(hints).find(([key]) => !Object.hasOwn(given, key));
  if (missing !== undefined) {
    const [key, hint] = missing;
    return invalid(`The ${what} "${key}" is missing; ${hint}.`, key);
  }
  const parsed = v.safeParse(schema, given);
  if (parsed.success) return ok(parsed.output);
  const field = v.getDotPath(parsed.issues[0]) ?? what;
  return invalid(`The ${what} "${field}" ${parsed.issues[0].message}.`, field);
}

/** Says which query parameters there are. */
function describeParameters(known: readonly string[]): string {
  if (known.length === 0) return 'there is none';
  return known.length === 1 ? `there is only ${known[0]}` : `there are ${known.join(', ')}`;
}

/** Reads the query of a request that takes these parameters and no body. */
export function readQuery<Entries extends v.ObjectEntries>(
  { query, body }: WireRequest,
  fields: Fields<Entries>,
): Result<v.InferOutput<v.ObjectSchema<Entries, undefined>>, Refusal> {
  if (body.length > 0) return invalid('GET and DELETE take no body.');
  const unknown = [...query.keys()].find((key) => !fields.keys.has(key));
  return unknown === undefined
    ? readFields(fields, Object.fromEntries(query), 'query parameter')
    : unknownName('query parameter', unknown, describeParameters(toldKeys(fields)));
}

/** Reads the id in the path of a request for a route that has one. */
export function readId(
  { path }: WireRequest,
  route: { readonly path: string; readonly id: IdForm },
): Result<string, Refusal> {
  const id = idIn(route, path);
  return route.id.form.test(id) ? ok(id) : invalid(`${route.id.sentence}.`, 'id');
}
