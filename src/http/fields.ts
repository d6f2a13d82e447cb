import * as v from 'valibot';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { Refusal } from './refusals.ts';

/** What an endpoint takes: each field's schema, whose messages continue "The field "x" …". */
export type Fields<Entries extends v.ObjectEntries> = {
  readonly schema: v.ObjectSchema<Entries, undefined>;
  readonly keys: ReadonlySet<string>;
  /** Fields that are accepted but not worth telling anybody of. */
  readonly quiet: readonly string[];
};

/** Declares the fields of an endpoint. */
export const fields = <Entries extends v.ObjectEntries>(
  entries: Entries,
  quiet: readonly string[] = [],
): Fields<Entries> => ({ schema: v.object(entries), keys: new Set(Object.keys(entries)), quiet });

/** The refusal of a request that cannot be understood; `field` names what is to be mended. */
export const invalid = (message: string, field?: string) =>
  refuse<Refusal>({ kind: 'invalid', message, ...(field === undefined ? {} : { field }) });

/**
 * Reads fields strictly: one that is unknown or out of form is refused by its name.
 *
 * @param what they are called to the caller: `field`, `query parameter`
 */
export const readFields = <Entries extends v.ObjectEntries>(
  { schema, keys, quiet }: Fields<Entries>,
  given: Readonly<Record<string, unknown>>,
  what: string,
): Result<v.InferOutput<v.ObjectSchema<Entries, undefined>>, Refusal> => {
  const unknown = Object.keys(given).find((key) => !keys.has(key));
  if (unknown !== undefined) {
    const known = [...keys].filter((key) => !quiet.includes(key)).join(', ');
    return invalid(`The ${what} "${unknown}" is not known here; there are ${known}.`, unknown);
  }
  const parsed = v.safeParse(schema, given);
  if (parsed.success) return ok(parsed.output);
  const field = v.getDotPath(parsed.issues[0]) ?? what;
  return invalid(`The ${what} "${field}" ${parsed.issues[0].message}.`, field);
};

/** A whole number of seconds between two bounds, both included. */
export const seconds = (low: number, high: number) => {
  const range = `must be a whole number of seconds from ${low} to ${high}`;
  return v.pipe(v.number(range), v.integer(range), v.minValue(low, range), v.maxValue(high, range));
};

/** The same as decimal digits without leading zeros, as a query has it. */
export const secondsText = (low: number, high: number) =>
  v.pipe(
    v.string(),
    v.regex(/^[1-9]\d{0,8}$/u, `must be a whole number of seconds from ${low} to ${high}`),
    v.transform(Number),
    seconds(low, high),
  );
