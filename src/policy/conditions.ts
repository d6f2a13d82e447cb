import * as v from 'valibot';
import { isAccountId } from '../lib/arn.ts';
import { ok, refuse } from '../lib/result.ts';
import { parsePrincipalPattern } from './arn-pattern.ts';
import { quote } from './problem.ts';
import { atLeastOneOf, crossCheck, list, mapping, parsed, text, textLike, word, type Schema } from './schema.ts';
import { isZone, WEEKDAYS, type TimeWindow } from './time-window.ts';

/** Names of profiles or callers, compared exactly and with regard to case. */
export const names: Schema<readonly string[]> = list(text);

const clockTime = textLike(/^(?:[01]\d|2[0-3]):[0-5]\d$/u, 'must be a time from 00:00 to 23:59');

const zone = parsed((input) =>
  isZone(input) ? ok(input) : refuse(`${quote(input)} is not an IANA time zone like Europe/Berlin or UTC`),
);

const hours = v.pipe(
  mapping({ start: clockTime, end: clockTime }),
  crossCheck(({ start, end }) =>
    start === end ? [{ key: 'end', message: 'must differ from start; leave hours out for the whole day' }] : [],
  ),
);

/** A window of time with `days` or `hours` or both: with neither it would restrict nothing and look as if it did. */
export const timeWindow: Schema<TimeWindow> = v.pipe(
  mapping({
    days: v.exactOptional(list(word(WEEKDAYS))),
    hours: v.exactOptional(hours),
    timezone: v.exactOptional(zone),
  }),
  atLeastOneOf('days', 'hours'),
);

/** Patterns of principals' ARNs. */
export const principals: Schema<readonly string[]> = list(parsed(parsePrincipalPattern));

/** Unique ids of roles and users: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html */
export const principalIds: Schema<readonly string[]> = list(
  textLike(/^(?:AROA|AIDA)[A-Z0-9]{12,124}$/u, 'must be the unique id of a role (AROA\u2026) or a user (AIDA\u2026)'),
);

/** Account ids. Without quotes YAML reads a number, which has lost its leading zeros. */
export const accounts: Schema<readonly string[]> = list(
  v.pipe(
    v.string('must be an account id of twelve digits in quotes'),
    v.check(isAccountId, 'must be an account id of twelve digits'),
  ),
);
