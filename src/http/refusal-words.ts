import type { OperatedOn, OperationRefusal } from '../actions/operator.ts';
import type { ReasonedRefusal } from '../actions/record-refusal.ts';
import type { DeniedRefusal, Revoked, UnavailableRefusal } from '../actions/refusal.ts';
import { describeRoutes } from '../contract/paths.ts';
import type { RateRefusal } from '../identity/authenticator.ts';
import { formatInstant } from '../lib/clock.ts';
import { escapeUnseen } from '../lib/unseen.ts';
import type { Asked } from './asked.ts';

/**
 * The words of refusals, for `refusals.ts`, which knows when each is said. Two sorts of words stand
 * elsewhere: what failed in verifying a signature, beside the check in `sigv4` and `identity`, and
 * what is out of form in a field, beside the field.
 */

type Refused<Kind> = Extract<OperationRefusal, { readonly kind: Kind }>;

/** What was surely not done. "Nothing was vended" is said of vends only. */
const NOT_DONE: Readonly<Record<Asked, string>> = {
  credentials: 'Nothing was vended',
  key: 'No key was minted',
  revocation: 'Nothing was revoked',
  lifting: 'Nothing was lifted',
  approval: 'Nothing was changed',
  break_glass: 'Nothing was opened or changed',
  question: 'There is no answer',
};

/**
 * What may have been done. Credentials and keys that nobody got are as if they had not been made.
 */
const MAYBE_DONE: Readonly<Record<Asked, string>> = {
  ...NOT_DONE,
  revocation: 'It is not certain that it was revoked (GET /revocations tells)',
  lifting: 'It is not certain that it was lifted (GET /revocations tells)',
  approval: 'It is not certain what was changed (GET /requests tells)',
  break_glass: 'It is not certain what was opened or changed (GET /break-glass tells)',
};

export const OVERLOADED =
  'This server has as much to do as it can take, and has not begun to work on your request; try again, with a new signature.';

export const REPLAYED =
  'This signed request was used before, or is older than this server. Sign a new one. Equal requests of one second share ' +
  'a signature: to send several, wait a second in between, or give each a signed header x-sentinel-nonce with a random ' +
  'value, with curl -H "x-sentinel-nonce: $RANDOM".';

export const NOT_FOUND = `There is nothing at this path; ${describeRoutes()}.`;

export const BODY_TOO_SLOW = 'The body did not arrive in time; send it at once.';

export const UPSTREAM_THROTTLED = 'AWS STS is throttling this account; try again.';

export const NO_KEY_FROM_A_KEY =
  'A minted key cannot mint another; sign with the credentials that it came from.';

export const BAD_TOKEN = 'next_token is not one that this server gave out for this query.';

/** What is not available, as the subject of "… is not available". */
const UNAVAILABLE: Readonly<Record<UnavailableRefusal['cause'], string>> = {
  approvals: 'the table of requests for an approval',
  audit: 'the audit log',
  break_glass: 'the table of break-glass events',
  break_glass_rates: 'the document of break-glass rates, which is broken,',
  catalog: 'the catalog of policies and keys',
  clock: "this server's clock, which differs from AWS's,",
  guard: 'the replay guard',
  lifting_key: 'the sealing key that a lifting is signed with',
  people: 'the document of people, which is broken,',
  rate_limit: 'the count of your requests',
  required_session: 'the table of sessions, where each vend of this profile must be recorded,',
  revocation_log: 'the log of revocations',
  revocations: 'the list of revocations',
  sealing_key: 'a sealing key (the operator puts one under keys/ of the secrets root)',
  sessions: 'the table of sessions',
  sts: 'AWS STS',
  sts_identity: 'AWS STS, which confirms who signed,',
};

/** What may have taken what was sent, though its answer did not come. */
const MAYBE_CAUSES: ReadonlySet<string> = new Set(['revocation_log', 'approvals', 'break_glass']);

/** The log of revocations may have taken what was sent, though its answer did not come. */
export function unavailableWords({ cause }: UnavailableRefusal, asked: Asked): string {
  const done = MAYBE_CAUSES.has(cause) ? MAYBE_DONE : NOT_DONE;
  return `${done[asked]}: ${UNAVAILABLE[cause]} is not available just now; try again.`;
}

export function bugWords(asked: Asked): string {
  return `The server failed on this request. ${MAYBE_DONE[asked]}. Tell its operator the x-request-id.`;
}

const TOO_MANY: Readonly<Record<Exclude<RateRefusal['limit'], 'caller'>, string>> = {
  strangers: 'Too many requests from your address could not prove who sent them, or were copies',
  'refused-by-sts': 'Too many tokens from your address were refused by AWS STS',
  'waiting-for-sts': 'Too many callers are being confirmed by AWS STS just now',
  'throttled-by-sts': 'AWS STS is throttling the calls that confirm callers',
};

function tooMany(refusal: RateRefusal): string {
  if (refusal.limit !== 'caller') return TOO_MANY[refusal.limit];
  const { name, requests, windowSeconds } = refusal;
  return `${name} has sent ${requests} requests in ${windowSeconds} s, which is all that one caller may send`;
}

export function rateWords(refusal: RateRefusal): string {
  return `${tooMany(refusal)}; try again, with a new signature.`;
}

function whatIsRevoked(revoked: Revoked): string {
  switch (revoked.what) {
    case 'everything':
      return 'All vending';
    case 'profile':
      return `Profile ${revoked.profile}`;
    case 'session':
      return `The session of ${revoked.name} on profile ${revoked.profile}`;
    case 'grant':
      return `What was approved as ${revoked.id}`;
    case 'access':
      return `The access of ${revoked.name}`;
  }
}

export function revokedWords(revoked: Revoked, until: number | undefined): string {
  const end = until === undefined ? '' : ` until ${formatInstant(until)}`;
  return `${whatIsRevoked(revoked)} is revoked${end}; if that is wrong, ask the TVM's operators and tell them the x-request-id.`;
}

/** The reason that the audit log gives for a refusal. */
export function reasonOf(refusal: ReasonedRefusal): string {
  switch (refusal.kind) {
    case 'not-authentic':
      return refusal.refusal.message;
    case 'replayed':
      return 'The nonce was used before.';
    case 'rate-limited':
      return tooMany(refusal);
    case 'revoked':
      return whatIsRevoked(refusal.revoked);
    case 'unavailable':
      return `${UNAVAILABLE[refusal.cause]} is not available`;
  }
}

/**
 * Says the same of a profile that does not exist, that is broken, and that no rule opens to this
 * caller.
 */
export function deniedWords({ profile, user, rule, reason }: DeniedRefusal): string {
  if (rule === undefined)
    return `no rule lets ${user} use profile ${profile}; GET /profiles lists yours`;
  const why = reason === undefined ? '' : `: ${reason}`;
  return `rule "${rule}" does not let ${user} use profile ${profile}${why}`;
}

const ADDRESS = { unknown: 'is unknown', private: 'is a private one' } as const;

export function addressWords(profile: string, address: keyof typeof ADDRESS): string {
  return `Profile ${profile} binds credentials to your address, which ${ADDRESS[address]}; call from a network that its operator has set up.`;
}

export function labelsWords(
  { profile, most, until }: Refused<'labels-full'>,
  asked: Asked,
): string {
  return `${NOT_DONE[asked]}: you have ${most} live session labels on profile ${profile}, which is the most that one caller may have; use one of them again, leave session_label out, or try again at ${formatInstant(until)}, when the first of them ends.`;
}

export function misconfiguredWords(profile: string): string {
  return `AWS refused the role of profile ${profile}; only the TVM's operator can mend that. Tell them the x-request-id.`;
}

/** What an operation is done on, as the beginning of a sentence. */
function subjectOf(on: OperatedOn): string {
  switch (on.kind) {
    case 'all':
      return 'Everything';
    case 'revocations':
      return 'Revocations';
    case 'sessions-of-others':
      return 'Sessions of others';
    case 'requests-of-others':
      return 'Requests of others';
    case 'events-of-others':
      return 'Break-glass events of others';
    case 'revocation':
      return `Revocation ${on.value}`;
    case 'session':
      return `Session ${on.value}`;
    case 'grant':
      return `Request ${on.value}`;
    case 'user':
    case 'principal':
    case 'profile':
      return `The ${on.kind} ${on.value}`;
  }
}

export function notOperatorWords({ action, on }: Refused<'not-operator'>): string {
  return `${escapeUnseen(subjectOf(on))}: only operators with the right to ${action} may do that, and it may not exist; see the operators document.`;
}

export function conflictWords(conflict: Refused<'conflict'>): string {
  if (conflict.of === 'own-revocation') {
    return `Revocation ${conflict.n} is your own; another operator has to lift it.`;
  }
  return conflict.status === 'revoked'
    ? `Session ${conflict.id} is revoked already.`
    : `Session ${conflict.id} has ended; revoke the user or the principal instead.`;
}

export function unrecordedWords({ action, revocation }: Refused<'unrecorded'>): string {
  const stands = action === 'lifted' ? 'is lifted' : 'is in force';
  return `Revocation ${revocation.n} ${stands}, but the audit log is not available just now and may lack its record; there is no need to send the request again.`;
}

/** What of a head is too large. */
export type LargePart = 'authorization' | 'headers' | 'number-of-headers';

export function tooLargeWords(part: LargePart, limit: number): string {
  switch (part) {
    case 'authorization':
      return `The Authorization header is longer than ${limit} bytes.`;
    case 'headers':
      return `The headers are longer than ${limit} bytes together.`;
    case 'number-of-headers':
      return `The request has more than ${limit} headers.`;
  }
}

export function bodyWords(limit: number): string {
  return `The body is longer than ${limit} bytes; no request needs that much.`;
}

export function methodWords(allow: string): string {
  return `This path answers ${allow} only.`;
}

export function hostWords(host: string, served: readonly string[]): string {
  return `The host "${host}" is not one that this server answers for; it answers for ${served.join(', ')}. Sign for one of these, or ask its operator to set SENTINEL_HOSTS.`;
}
