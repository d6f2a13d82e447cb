import * as v from 'valibot';
import { formatInstant } from '../lib/clock.ts';
import { isProfileName } from '../lib/profile-name.ts';
import {
  BREAK_GLASS_JUSTIFICATION_CHARACTERS,
  COMMENT_CHARACTERS,
  JUSTIFICATION_CHARACTERS,
  LABEL_CHARACTERS,
  REASON_CHARACTERS,
  REVOKED_CHARACTERS,
  TICKET_CHARACTERS,
  USER_CHARACTERS,
} from './bounds.ts';

/**
 * The fields that an endpoint takes, in its query or its body. The messages of their schemas go on
 * from 'The field "x" …', without a full stop.
 */
export type Fields<Entries extends v.ObjectEntries = v.ObjectEntries> = {
  readonly schema: v.ObjectSchema<Entries, undefined>;
  readonly keys: ReadonlySet<string>;
  /** Fields that are accepted but not worth telling anybody of. */
  readonly quiet: readonly string[];
  /**
   * Fields that must be there, each with what whoever left it out should do, after "is missing; ".
   */
  readonly hints: Readonly<Record<string, string>>;
};

/** Declares the fields of an endpoint. */
export function fields<Entries extends v.ObjectEntries>(
  entries: Entries,
  { quiet = [], hints = {} }: Partial<Pick<Fields, 'quiet' | 'hints'>> = {},
): Fields<Entries> {
  return { schema: v.object(entries), keys: new Set(Object.keys(entries)), quiet, hints };
}

/** The query parameter that asks for a further page, and the field that tells of one. */
export const NEXT_TOKEN = 'next_token';

/** What can be revoked. */
export const REVOCATION_KINDS = ['session', 'user', 'principal', 'profile', 'all'] as const;

/** The states of a request for an approval. */
export const REQUEST_STATUSES = ['pending', 'approved', 'denied', 'expired', 'cancelled'] as const;

/** The lists of requests: one's own, those that one could decide now, all. */
export const REQUEST_VIEWS = ['mine', 'review', 'all'] as const;

/** The states of a break-glass event. */
export const EVENT_STATUSES = ['active', 'closed', 'expired'] as const;

/** Why somebody breaks the glass, in Sentinel's words. */
export const REASON_CODES = ['incident', 'maintenance', 'security', 'recovery', 'other'] as const;

/** What a session is shown as, where it is known. */
export const SESSION_STATUSES = ['active', 'revoked', 'expired'] as const;

/**
 * An id in a path: its form, and the sentence, without its full stop, for whoever sends another.
 */
export type IdForm = { readonly form: RegExp; readonly sentence: string };

/** Sentinel's form of ids, see `newHexId` of `lib/ids`. */
export const SESSION_ID: IdForm = {
  form: /^[0-9a-f]{16}$/u,
  sentence: 'The id of a session is sixteen hexadecimal digits',
};

/** Sentinel's form of ids, see `newHexId` of `lib/ids`. */
export const REQUEST_ID: IdForm = {
  form: /^[0-9a-f]{16}$/u,
  sentence: 'The id of a request is sixteen hexadecimal digits',
};

/** Sentinel's form of ids, see `newHexId` of `lib/ids`. */
export const EVENT_ID: IdForm = {
  form: /^[0-9a-f]{16}$/u,
  sentence: 'The id of a break-glass event is sixteen hexadecimal digits',
};

/** The number of a revocation in the log; fifteen digits are exact in JSON. */
export const REVOCATION_ID: IdForm = {
  form: /^[1-9]\d{0,14}$/u,
  sentence: 'The id of a revocation is a number',
};

/** A whole number of seconds between two bounds, both included. */
export function seconds({
  shortest,
  longest,
}: {
  readonly shortest: number;
  readonly longest: number;
}) {
  const range = `must be a whole number of seconds from ${shortest} to ${longest}`;
  return v.pipe(
    v.number(range),
    v.integer(range),
    v.minValue(shortest, range),
    v.maxValue(longest, range),
  );
}

/** The same as decimal digits without leading zeros, as a query and a command line have it. */
export function secondsText(bounds: { readonly shortest: number; readonly longest: number }) {
  return v.pipe(
    v.string(),
    v.regex(
      /^[1-9]\d{0,8}$/u,
      `must be a whole number of seconds from ${bounds.shortest} to ${bounds.longest}`,
    ),
    v.transform(Number),
    seconds(bounds),
  );
}

/** The name of a profile. */
export const profileName = v.pipe(
  v.string('must be text'),
  v.check(isProfileName, 'must be the name of a profile, like dev or team/prod'),
);

/** The caller's own label of its session. */
export const sessionLabel = v.pipe(
  v.string('must be text'),
  v.regex(
    new RegExp(`^[A-Za-z0-9_.-]{1,${LABEL_CHARACTERS}}$`, 'u'),
    `must be 1-${LABEL_CHARACTERS} letters, digits, "_", "." or "-"`,
  ),
);

/** The name of a caller, as documents have it. */
export const userName = v.pipe(
  v.string(),
  v.regex(
    new RegExp(`^[\\u0020-\\u007e]{1,${USER_CHARACTERS}}$`, 'u'),
    'must be the name of a caller, as GET /whoami tells it',
  ),
);

/** What a revocation names. Its form depends on the kind; here only its size is bounded. */
export const revokedValue = v.pipe(
  v.string('must be text'),
  v.maxLength(REVOKED_CHARACTERS, `must be at most ${REVOKED_CHARACTERS} characters`),
);

const REASON_RANGE = `must say why, in ${REASON_CHARACTERS.fewest} to ${REASON_CHARACTERS.most} characters`;

/** Why something is done. */
export const reason = v.pipe(
  v.string('must be text'),
  v.trim(),
  v.minLength(REASON_CHARACTERS.fewest, REASON_RANGE),
  v.maxLength(REASON_CHARACTERS.most, REASON_RANGE),
);

function words({ fewest, most }: { readonly fewest: number; readonly most: number }) {
  const range = `must be text of ${fewest} to ${most} characters`;
  return v.pipe(
    v.string('must be text'),
    v.trim(),
    v.minLength(fewest, range),
    v.maxLength(most, range),
  );
}

/** Why an approval is asked for. */
export const justification = words(JUSTIFICATION_CHARACTERS);

/** Why the glass is broken. */
export const breakGlassJustification = words(BREAK_GLASS_JUSTIFICATION_CHARACTERS);

/** What somebody says who decides. */
export const comment = words(COMMENT_CHARACTERS);

/** The ticket that something is for. Its form depends on the rule. */
export const ticket = v.pipe(
  v.string('must be text'),
  v.regex(
    new RegExp(`^[\\u0021-\\u007e]{1,${TICKET_CHARACTERS}}$`, 'u'),
    `must be the id of a ticket, of at most ${TICKET_CHARACTERS} characters without blanks`,
  ),
);

/** The id of a request in a body. */
export const requestId = v.pipe(
  v.string('must be text'),
  v.regex(REQUEST_ID.form, 'must be the id of a request, of sixteen hexadecimal digits'),
);

/** The digest of what was shown to whoever approves it. */
export const digest = v.pipe(
  v.string('must be text'),
  v.regex(
    /^[0-9a-f]{64}$/u,
    'must be the digest that GET /requests/{id} shows, of 64 hexadecimal digits',
  ),
);

/**
 * Of four digits' years only: beyond 9999 a date has another form, which no table sorts among the
 * others.
 */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/u;

const INSTANT_FORM = 'must be an instant in UTC like 2026-01-02T03:04:05Z';

function isInstant(text: string): boolean {
  const ms = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && formatInstant(ms) === text;
}

/** An instant in UTC like `2026-01-02T03:04:05Z`, as text. */
export const instantText = v.pipe(v.string(INSTANT_FORM), v.check(isInstant, INSTANT_FORM));

/** The same, to epoch milliseconds. */
export const instant = v.pipe(
  instantText,
  v.transform((text) => Date.parse(text)),
);
