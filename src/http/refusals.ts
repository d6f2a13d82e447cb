import type { IdentityRefusal } from '../identity/authenticator.ts';
import type { SigV4Error } from '../sigv4/refusal.ts';
import { formatInstant } from '../lib/clock.ts';
import { escapeUnseen } from '../lib/unseen.ts';
import type { OperationRefusal } from '../actions/operator.ts';
import type { VendRefusal } from '../actions/refusal.ts';
import { MAYBE_DONE, NOT_DONE, type Asked } from './asked.ts';

/** Everything that a request can be refused for. */
export type Refusal =
  | VendRefusal
  | IdentityRefusal
  | OperationRefusal
  | { readonly kind: 'invalid'; readonly message: string; readonly field?: string }
  | { readonly kind: 'body-too-large'; readonly limit: number }
  | { readonly kind: 'headers-too-large'; readonly message: string }
  | { readonly kind: 'body-too-slow' }
  /** There is more to do than this server can; nothing was begun. */
  | { readonly kind: 'overloaded' }
  | { readonly kind: 'method-not-allowed'; readonly allow: readonly string[] }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'internal' };

/** The TVM's own error names, a closed list; errors of authentication carry AWS's. */
export type ErrorName =
  | SigV4Error
  | 'PolicyDenied'
  | 'PolicyRequiresApproval'
  | 'NotPermitted'
  | 'Conflict'
  | 'RequestReplayed'
  | 'SessionRevoked'
  | 'QuotaExceeded'
  | 'RateLimited'
  | 'UpstreamThrottled'
  | 'ServiceUnavailable'
  | 'ProfileMisconfigured'
  | 'InternalFailure';

/** A refusal in words: what goes into the body, the status, and headers beyond the ordinary ones. */
export type RefusalAnswer = {
  readonly status: 400 | 403 | 404 | 405 | 409 | 413 | 429 | 431 | 500 | 503;
  readonly error: ErrorName;
  readonly message: string;
  readonly details?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the connection ends with the answer: its other end is still sending what nobody reads. */
  readonly close?: boolean;
};

/** Seconds after which a retry is worth while. */
const RETRY_THROTTLED = 2;
const RETRY_UNAVAILABLE = 5;
const RETRY_OVERLOADED = 1;
/** Signatures have a resolution of one second, so that a second later an equal request has another. */
const RETRY_REPLAYED = 1;

const AUTHENTICATION_STATUS: Readonly<Record<SigV4Error, 400 | 403>> = {
  AccessDenied: 403,
  ExpiredToken: 403,
  IncompleteSignature: 400,
  InvalidClientTokenId: 403,
  MissingAuthenticationToken: 403,
  SignatureDoesNotMatch: 403,
  ValidationError: 400,
  XAmzContentSHA256Mismatch: 400,
};

function validation(status: RefusalAnswer['status'], message: string): RefusalAnswer {
  return {
    status,
    error: 'ValidationError',
    message,
  };
}

/**
 * Puts every refusal into a status and a sentence that its reader can act on. The one place that knows both.
 *
 * @param asked what the request was for
 */
export function toRefusalAnswer(refusal: Refusal, asked: Asked = 'question'): RefusalAnswer {
  switch (refusal.kind) {
    case 'not-authentic': {
      const { error, message } = refusal.refusal;
      return { status: AUTHENTICATION_STATUS[error], error, message };
    }
    case 'rate-limited': {
      const { what, retryAfterSeconds, headers } = refusal;
      const answer = retryLater(429, 'RateLimited', `${what}; try again, with a new signature.`, retryAfterSeconds);
      return { ...answer, headers: { ...answer.headers, ...headers } };
    }
    case 'invalid':
      return {
        ...validation(400, refusal.message),
        ...(refusal.field === undefined ? {} : { details: { field: refusal.field } }),
      };
    case 'body-too-large':
      // The connection stays: it reads the rest away, within bounds, or ends. Closed at once with bytes unread, it would
      // be reset, and the sender, or the load balancer, would see that in the place of this answer.
      return validation(413, `The body is longer than ${refusal.limit} bytes; no request needs that much.`);
    case 'body-too-slow':
      return { ...validation(400, 'The body did not arrive in time; send it at once.'), close: true };
    case 'overloaded':
      return retryLater(503, 'ServiceUnavailable', OVERLOADED, RETRY_OVERLOADED);
    case 'headers-too-large':
      return { ...validation(431, refusal.message), close: true };
    case 'method-not-allowed': {
      const allow = refusal.allow.join(', ');
      return { ...validation(405, `This path answers ${allow} only.`), headers: { allow } };
    }
    case 'not-found':
      return validation(
        404,
        'There is nothing at this path; GET / or POST / vends, GET /profiles lists your profiles, POST /keys mints a key, GET /whoami says who you are.',
      );
    case 'not-operator':
      return {
        status: 403,
        error: 'NotPermitted',
        message: `${escapeUnseen(refusal.what)}: only operators with the right to ${refusal.action} may, and there may be no such thing; see the operators document.`,
      };
    case 'conflict': {
      const { message, status } = refusal;
      return { status: 409, error: 'Conflict', message, details: status === undefined ? {} : { status } };
    }
    case 'unrecorded': {
      const { action, revocation } = refusal;
      const stands = action === 'lifted' ? 'is lifted' : 'is in force';
      const message = `Revocation ${revocation.n} ${stands}, but the audit log is not available just now and may lack its record; there is no need to send the request again.`;
      const answer = retryLater(503, 'ServiceUnavailable', message, RETRY_UNAVAILABLE);
      return { ...answer, details: { ...answer.details, revocation_id: `${revocation.n}` } };
    }
    case 'bad-token':
      return {
        ...validation(400, 'next_token is not one that this server gave out for this query.'),
        details: { field: 'next_token' },
      };
    case 'internal':
      return { status: 500, error: 'InternalFailure', message: `${FAILED} ${MAYBE_DONE[asked]}. ${TELL}` };
    case 'denied':
    case 'approval-required':
    case 'address-unknown':
    case 'no-key-from-a-key':
    case 'labels-full':
    case 'revoked':
    case 'replayed':
    case 'upstream-throttled':
    case 'unavailable':
    case 'misconfigured':
      return toVendAnswer(refusal, asked);
  }
}

const FAILED = 'The server failed on this request.';
const TELL = 'Tell its operator the x-request-id.';
const OVERLOADED =
  'This server has as much to do as it can, and has not begun with your request; try again, with a new signature.';

const REPLAYED =
  'This signed request was used before, or is older than this server. Sign a new one. Equal requests of one second share ' +
  'a signature: to send several, wait a second in between, or give each a signed header x-sentinel-nonce with a random ' +
  'value, with curl -H "x-sentinel-nonce: $RANDOM".';

function toVendAnswer(refusal: VendRefusal, asked: Asked): RefusalAnswer {
  switch (refusal.kind) {
    case 'denied':
      return toDenial(refusal);
    case 'approval-required':
      return {
        status: 403,
        error: 'PolicyRequiresApproval',
        message: `Profile ${refusal.profile} needs an approval, and this server cannot take requests for one yet; ask its operator.${says(refusal.reason)}`,
        details: { profile: refusal.profile, ...(refusal.reason === undefined ? {} : { reason: refusal.reason }) },
      };
    case 'address-unknown':
      return {
        status: 403,
        error: 'PolicyDenied',
        message: `Profile ${refusal.profile} binds credentials to your address, and ${refusal.why}; call from a network that its operator has set up.`,
        details: { profile: refusal.profile },
      };
    case 'revoked': {
      const until = refusal.until === undefined ? '' : ` until ${formatInstant(refusal.until)}`;
      return {
        status: 403,
        error: 'SessionRevoked',
        message: `${refusal.what} is revoked${until}; if that is wrong, ask the TVM's operators and tell them the x-request-id.`,
        ...(refusal.until === undefined ? {} : { details: { until: formatInstant(refusal.until) } }),
      };
    }
    case 'labels-full': {
      const { profile, most, until, retryAfterSeconds } = refusal;
      const message = `${NOT_DONE[asked]}: ${most} session labels of yours live on profile ${profile}, which is the most; use one of them again, leave session_label out, or try again at ${formatInstant(until)}, when the first of them ends.`;
      return retryLater(429, 'QuotaExceeded', message, retryAfterSeconds);
    }
    case 'no-key-from-a-key':
      return {
        status: 403,
        error: 'AccessDenied',
        message: 'A minted key mints no other; sign with the credentials that this one came from.',
      };
    case 'replayed':
      return retryLater(403, 'RequestReplayed', REPLAYED, RETRY_REPLAYED);
    case 'upstream-throttled':
      return retryLater(503, 'UpstreamThrottled', 'AWS STS is throttling this account; try again.', RETRY_THROTTLED);
    case 'unavailable':
      return retryLater(
        503,
        'ServiceUnavailable',
        `${(refusal.maybeDone === true ? MAYBE_DONE : NOT_DONE)[asked]}: ${refusal.what} is not available just now; try again.`,
        RETRY_UNAVAILABLE,
      );
    case 'misconfigured':
      return {
        status: 500,
        error: 'ProfileMisconfigured',
        message: `AWS refused the role of profile ${refusal.profile}; only the TVM's operator can mend that. Tell them the x-request-id.`,
        details: { profile: refusal.profile },
      };
  }
}

function says(reason: string | undefined): string {
  return reason === undefined ? '' : ` The rule says: ${reason}`;
}

/** Says the same of a profile that does not exist, that is broken, and that no rule opens to this caller. */
function toDenial({ profile, user, rule, reason }: Extract<VendRefusal, { kind: 'denied' }>): RefusalAnswer {
  return {
    status: 403,
    error: 'PolicyDenied',
    message:
      rule === undefined
        ? `no rule lets ${user} use profile ${profile}; GET /profiles lists yours`
        : `rule "${rule}" does not let ${user} use profile ${profile}${reason === undefined ? '' : `: ${reason}`}`,
    details: {
      profile,
      ...(rule === undefined ? {} : { rule }),
      ...(reason === undefined ? {} : { reason }),
    },
  };
}

function retryLater(status: 403 | 429 | 503, error: ErrorName, message: string, retryAfter: number): RefusalAnswer {
  return {
    status,
    error,
    message,
    details: { retry_after: retryAfter },
    headers: { 'retry-after': String(retryAfter) },
  };
}
