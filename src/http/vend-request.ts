import * as v from 'valibot';
import { ok, refuse, type Result } from '../lib/result.ts';
import { isProfileName } from '../policy/profile-name.ts';
import type { QueryParameters } from '../sigv4/query.ts';
import { DEFAULT_SECONDS, LONGEST_SECONDS } from '../vend/duration.ts';
import type { Refusal } from './refusals.ts';

/** What a caller asks for; `duration` in seconds. */
export type VendWish = { readonly profile: string; readonly duration?: number; readonly session_label?: string };

const RANGE = `must be a whole number of seconds from ${DEFAULT_SECONDS} to ${LONGEST_SECONDS}`;

const duration = v.pipe(
  v.number(RANGE),
  v.integer(RANGE),
  v.minValue(DEFAULT_SECONDS, RANGE),
  v.maxValue(LONGEST_SECONDS, RANGE),
);

const durationText = v.pipe(v.string(), v.regex(/^[1-9]\d{0,8}$/u, RANGE), v.transform(Number), duration);

const common = {
  profile: v.pipe(
    v.string('must be text'),
    v.check(isProfileName, 'must be the name of a profile, like dev or team/prod'),
  ),
  session_label: v.optional(
    v.pipe(
      v.string('must be text'),
      v.regex(/^[A-Za-z0-9_.-]{1,32}$/u, 'must be 1-32 letters, digits, "_", "." or "-"'),
    ),
  ),
  /** Sentinel's clients send it; nothing here can verify a device. */
  device_id: v.optional(v.unknown()),
};

const strict = <Entries extends v.ObjectEntries>(entries: Entries) => ({
  schema: v.object(entries),
  keys: new Set(Object.keys(entries)),
});

const QUERY = strict({ ...common, duration: v.optional(durationText) });
const BODY = strict({ ...common, duration: v.optional(duration) });

const invalid = (message: string, field?: string) =>
  refuse<Refusal>({ kind: 'invalid', message, ...(field === undefined ? {} : { field }) });

const parse = (
  { schema, keys }: typeof QUERY | typeof BODY,
  given: Readonly<Record<string, unknown>>,
  what: string,
): Result<VendWish, Refusal> => {
  const unknown = Object.keys(given).find((key) => !keys.has(key));
  if (unknown !== undefined) {
    const known = [...keys].filter((key) => key !== 'device_id').join(', ');
    return invalid(`The ${what} "${unknown}" is not known here; there are ${known}.`, unknown);
  }
  if (!Object.hasOwn(given, 'profile'))
    return invalid(`The ${what} "profile" is missing; GET /profiles lists yours.`, 'profile');
  const parsed = v.safeParse(schema, given);
  if (!parsed.success) {
    const field = v.getDotPath(parsed.issues[0]) ?? what;
    return invalid(`The ${what} "${field}" ${parsed.issues[0].message}.`, field);
  }
  const { profile, duration: seconds, session_label: label } = parsed.output;
  return ok({
    profile,
    ...(seconds === undefined ? {} : { duration: seconds }),
    ...(label === undefined ? {} : { session_label: label }),
  });
};

/** Reads the wish from `GET /?profile=…`: a parameter that is unknown or out of form is refused by name. */
export const readVendQuery = (query: QueryParameters): Result<VendWish, Refusal> =>
  parse(QUERY, Object.fromEntries(query), 'query parameter');

/** Reads the wish from the JSON body of `POST /`. */
export const readVendBody = (body: Readonly<Record<string, unknown>>): Result<VendWish, Refusal> =>
  parse(BODY, body, 'field');
