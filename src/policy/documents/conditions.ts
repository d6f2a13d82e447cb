import * as v from 'valibot';
import { NAMED_KINDS, type NamedKind } from '../../lib/names.ts';
import { checkAccount, checkPrincipalPattern } from '../principals.ts';
import { checkProfile } from '../profile-name.ts';
import {
  described,
  list,
  mapping,
  parsed,
  textLike,
  word,
  type Schema,
} from '../reading/schema.ts';
import { atLeastOneOf, crossCheck } from '../reading/cross-check.ts';
import { WEEKDAYS, type TimeWindow } from '../time-window.ts';
import { checkUserName } from '../user-names.ts';
import { checkZone } from '../zones.ts';

/**
 * Makes a schema once for each kind of caller that bare names can mean, since valid names depend on
 * that.
 */
export function perOwner<Value>(
  make: (bareNames: NamedKind) => Value,
): (bareNames: NamedKind) => Value {
  const made = new Map(NAMED_KINDS.map((kind) => [kind, make(kind)]));
  function schemaFor(bareNames: NamedKind): Value {
    return made.get(bareNames) ?? make(bareNames);
  }
  return schemaFor;
}

const NAME =
  'The whole name of a caller, without wildcards: alice, user/dana, role/deploy, 111122223333:user/bob.';

/** Names of callers, which are compared exactly and case-sensitively. */
export function userNames(bareNames: NamedKind): Schema<readonly string[]> {
  return list(
    described(
      parsed((input) => checkUserName(input, { bareNames })),
      NAME,
    ),
  );
}

/** Names of profiles, which are compared exactly and case-sensitively. */
export const profileNames: Schema<readonly string[]> = list(
  described(
    parsed(checkProfile),
    'The whole name of a profile, without wildcards: dev, team/prod.',
  ),
);

const clockTime = textLike(/^(?:[01]\d|2[0-3]):[0-5]\d$/u, 'must be a time from 00:00 to 23:59');

const zone = described(parsed(checkZone), 'Area/Location of the IANA time zone database, or UTC.');

const hours = v.pipe(
  mapping({ start: clockTime, end: clockTime }),
  crossCheck(({ start, end }) =>
    start === end
      ? [{ key: 'end', message: 'must differ from start; leave hours out for the whole day' }]
      : [],
  ),
  v.description('The end must differ from the start; an end before it lies on the next day.'),
);

/**
 * A window of time with `days`, `hours` or both. With neither it would look like a restriction and
 * be none.
 */
export const timeWindow: Schema<TimeWindow> = v.pipe(
  mapping(
    {
      days: v.exactOptional(list(word(WEEKDAYS))),
      hours: v.exactOptional(hours),
      timezone: v.exactOptional(zone),
    },
    { blanks: ['timezone'] },
  ),
  atLeastOneOf('days', 'hours'),
);

/** Patterns of principals' ARNs. */
export const principals: Schema<readonly string[]> = list(
  described(
    parsed(checkPrincipalPattern),
    'arn:aws:iam::111122223333:role/Name, arn:aws:iam::111122223333:user/path/Name or sentinel:key/<id>; ' +
      '* and ? stand for characters other than : and /.',
  ),
);

/**
 * Unique ids of roles and users:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
 */
export const principalIds: Schema<readonly string[]> = list(
  textLike(
    /^(?:AROA|AIDA)[A-Z0-9]{12,124}$/u,
    'must be the unique id of a role (AROA\u2026) or a user (AIDA\u2026)',
  ),
);

/** Account ids. Without quotes YAML reads a number and loses leading zeros. */
export const accounts: Schema<readonly string[]> = list(
  described(
    parsed(checkAccount, v.string('must be an account id of twelve digits in quotes')),
    'An account id: twelve digits, in quotes.',
  ),
);
