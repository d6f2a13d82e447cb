import * as v from 'valibot';
import { EVENT_ID, REQUEST_ID } from '../contract/fields.ts';
import { SECOND } from '../lib/clock.ts';
import { parseGoDuration } from '../lib/go-duration.ts';
import { isProfileName } from '../lib/profile-name.ts';

/** Fields that several commands take, in the form in which a command line has them. */

const PROFILE_FORM = 'must name a profile of the TVM, like dev or team/prod';

/** The name of a profile. */
export const profileText = v.pipe(v.string(PROFILE_FORM), v.check(isProfileName, PROFILE_FORM));

const ID_FORM = 'must be the id of a request, of sixteen hexadecimal digits';

/** The id of a request for an approval. */
export const requestId = v.pipe(v.string(ID_FORM), v.regex(REQUEST_ID.form, ID_FORM));

const EVENT_FORM = 'must be the id of a break-glass event, of sixteen hexadecimal digits';

/** The id of a break-glass event. */
export const eventId = v.pipe(v.string(EVENT_FORM), v.regex(EVENT_ID.form, EVENT_FORM));

function toSeconds(text: string): number {
  if (/^\d{1,9}$/u.test(text)) return Number(text);
  const parsed = parseGoDuration(text);
  return parsed.ok ? parsed.value / SECOND : Number.NaN;
}

/**
 * A time between two bounds, in seconds: written as these (`3600`), or as documents have it (`1h`).
 */
export function durationText({
  shortest,
  longest,
}: {
  readonly shortest: number;
  readonly longest: number;
}) {
  const form = `must be a duration like 45m, or whole seconds, from ${shortest} to ${longest} seconds`;
  return v.pipe(
    v.string(form),
    v.transform(toSeconds),
    v.check(
      (seconds) => Number.isInteger(seconds) && seconds >= shortest && seconds <= longest,
      form,
    ),
  );
}
