import * as v from 'valibot';
import { ok, refuse, type Result } from '../lib/result.ts';
import { formatInstant } from '../lib/clock.ts';
import { escapeUnseen, quoted } from '../lib/unseen.ts';
import type { WireRequest } from '../sigv4/request.ts';
import type { Refusal } from './refusals.ts';

/** What an endpoint takes: each field's schema, whose messages continue "The field "x" …". */
export type Fields<Entries extends v.ObjectEntries> = {
  readonly schema: v.ObjectSchema<Entries, undefined>;
  readonly keys: ReadonlySet<string>;
  /** Fields that are accepted but not worth telling anybody of. */
  readonly quiet: readonly string[];
};

/** Declares the fields of an endpoint. */
export function fields<Entries extends v.ObjectEntries>(
  entries: Entries,
  quiet: readonly string[] = [],
): Fields<Entries> {
  return { schema: v.object(entries), keys: new Set(Object.keys(entries)), quiet };
}

/** The refusal of a request that cannot be understood; `field` names what is to be mended. */
export function invalid(message: string, field?: string) {
  return refuse<Refusal>({ kind: 'invalid', message, ...(field === undefined ? {} : { field: escapeUnseen(field) }) });
}

/** The refusal of a name that means nothing here; `there` says what does, after "there is" or "there are". */
function unknownName(what: string, name: string, there: string) {
  return name === ''
    ? invalid(
        `A ${what} has no name: there is a "&" or "=" too many, or one within a value that is not %26 or %3D.`,
        name,
      )
    : invalid(`The ${what} ${quoted(name)} is not known here; ${there}.`, name);
}

/**
 * Reads fields strictly: one that is unknown or out of form is refused by its name.
 *
 * @param what they are called to the caller: `field`, `query parameter`
 */
export function readFields<Entries extends v.ObjectEntries>(
  { schema, keys, quiet }: Fields<Entries>,
  given: Readonly<Record<string, unknown>>,
  what: string,
): Result<v.InferOutput<v.ObjectSchema<Entries, undefined>>, Refusal> {
  const unknown = Object.keys(given).find((key) => !keys.has(key));
  if (unknown !== undefined) {
    const known = [...keys].filter((key) => !quiet.includes(key)).join(', ');
    return unknownName(what, unknown, `there are ${known}`);
  }
  const parsed = v.safeParse(schema, given);
  if (parsed.success) return ok(parsed.output);
  const field = v.getDotPath(parsed.issues[0]) ?? what;
  return invalid(`The ${what} "${field}" ${parsed.issues[0].message}.`, field);
}

/** A whole number of seconds between two bounds, both included. */
export function seconds(low: number, high: number) {
  const range = `must be a whole number of seconds from ${low} to ${high}`;
  return v.pipe(v.number(range), v.integer(range), v.minValue(low, range), v.maxValue(high, range));
}

/** The same as decimal digits without leading zeros, as a query has it. */
export function secondsText(low: number, high: number) {
  return v.pipe(
    v.string(),
    v.regex(/^[1-9]\d{0,8}$/u, `must be a whole number of seconds from ${low} to ${high}`),
    v.transform(Number),
    seconds(low, high),
  );
}

/** The query parameter that asks for a further page. */
export const NEXT = 'next_token';

/** Reads the query of a request that takes these parameters and no body. */
export function readQuery(
  { query, body }: WireRequest,
  known: readonly string[],
): Result<Readonly<Record<string, string>>, Refusal> {
  if (body.length > 0) return invalid('GET and DELETE take no body.');
  const unknown = [...query.keys()].find((key) => !known.includes(key));
  if (unknown === undefined) return ok(Object.fromEntries(query));
  const there =
    known.length === 0
      ? 'there is none'
      : known.length === 1
        ? `there is only ${known[0]}`
        : `there are ${known.join(', ')}`;
  return unknownName('query parameter', unknown, there);
}

/** Of four digits' years only: beyond 9999 a date has another form, which no table sorts among the others. */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/u;

function isInstant(text: string): boolean {
  const ms = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && formatInstant(ms) === text;
}

/** An instant in UTC like `2026-01-02T03:04:05Z`, to epoch milliseconds. */
export const instant = v.pipe(
  v.string('must be an instant in UTC like 2026-01-02T03:04:05Z'),
  v.check(isInstant, 'must be an instant in UTC like 2026-01-02T03:04:05Z'),
  v.transform((text) => Date.parse(text)),
);

/** Why something is done: Sentinel asks for 3 characters at least. */
export const reason = v.pipe(
  v.string('must be text'),
  v.trim(),
  v.minLength(3, 'must say why, in 3 to 500 characters'),
  v.maxLength(500, 'must say why, in 3 to 500 characters'),
);
