import * as v from 'valibot';
import { ok, type Result } from '../lib/result.ts';
import { isProfileName } from '../policy/profile-name.ts';
import type { QueryParameters } from '../sigv4/query.ts';
import { DEFAULT_SECONDS, LONGEST_SECONDS } from '../actions/vend/duration.ts';
import { fields, invalid, readFields, seconds, secondsText } from './fields.ts';
import type { Refusal } from './refusals.ts';

/** What a caller asks for; `duration` in seconds. */
export type VendWish = { readonly profile: string; readonly duration?: number; readonly session_label?: string };

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

const QUIET = ['device_id'];
const QUERY = fields({ ...common, duration: v.optional(secondsText(DEFAULT_SECONDS, LONGEST_SECONDS)) }, QUIET);
const BODY = fields({ ...common, duration: v.optional(seconds(DEFAULT_SECONDS, LONGEST_SECONDS)) }, QUIET);

function parse(
  known: typeof QUERY | typeof BODY,
  given: Readonly<Record<string, unknown>>,
  what: string,
): Result<VendWish, Refusal> {
  const isUnknown = Object.keys(given).some((key) => !known.keys.has(key));
  if (!isUnknown && !Object.hasOwn(given, 'profile')) {
    return invalid(`The ${what} "profile" is missing; GET /profiles lists yours.`, 'profile');
  }
  const parsed = readFields<(typeof known)['schema']['entries']>(known, given, what);
  if (!parsed.ok) return parsed;
  const { profile, duration, session_label: label } = parsed.value;
  return ok({
    profile,
    ...(duration === undefined ? {} : { duration }),
    ...(label === undefined ? {} : { session_label: label }),
  });
}

/** Reads the wish from `GET /?profile=…`: a parameter that is unknown or out of form is refused by name. */
export function readVendQuery(query: QueryParameters): Result<VendWish, Refusal> {
  return parse(QUERY, Object.fromEntries(query), 'query parameter');
}

/** Reads the wish from the JSON body of `POST /`. */
export function readVendBody(body: Readonly<Record<string, unknown>>): Result<VendWish, Refusal> {
  return parse(BODY, body, 'field');
}
