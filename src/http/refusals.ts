import type { AdmitRefusal } from '../actions/admit.ts';
import type { OperationRefusal } from '../actions/operator.ts';
import type { RevokedRefusal, VendRefusal } from '../actions/refusal.ts';
import { AUTHENTICATION_STATUS } from '../contract/errors.ts';
import type { RateRefusal } from '../identity/authenticator.ts';
import { formatInstant } from '../lib/clock.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { Asked } from './asked.ts';
import { toRateHeaders } from './rate-headers.ts';
import { isApprovalRefusal, toApprovalAnswer, toApprovalRequired } from './approval-answers.ts';
import { isBreakGlassRefusal, toBreakGlassAnswer } from './break-glass-answers.ts';
import {
  forbidden,
  RETRY_OVERLOADED,
  RETRY_REPLAYED,
  RETRY_THROTTLED,
  RETRY_UNAVAILABLE,
  retryLater,
  validation,
  type RefusalAnswer,
} from './refusal-answer.ts';
import * as words from './refusal-words.ts';

/** Everything that a request can be refused for. */
export type Refusal = VendRefusal | AdmitRefusal | OperationRefusal | HttpRefusal;

/** What HTTP itself refuses. A message that says what is out of form stands beside the field. */
type HttpRefusal =
  | { readonly kind: 'invalid'; readonly message: string; readonly field?: string }
  | { readonly kind: 'host-not-served'; readonly host: string; readonly served: readonly string[] }
  | { readonly kind: 'body-too-large'; readonly limit: number }
  | { readonly kind: 'headers-too-large'; readonly part: words.LargePart; readonly limit: number }
  | { readonly kind: 'body-too-slow' }
  | { readonly kind: 'method-not-allowed'; readonly allow: readonly string[] }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'internal' };

/**
 * Puts every refusal into a status and a sentence that its reader can act on. The one place that
 * knows both; the sentences are in `refusal-words.ts`.
 *
 * @param asked what the request was for
 */
export function toRefusalAnswer(refusal: Refusal, asked: Asked = 'question'): RefusalAnswer {
  if (isApprovalRefusal(refusal)) return toApprovalAnswer(refusal);
  if (isBreakGlassRefusal(refusal)) return toBreakGlassAnswer(refusal);
  switch (refusal.kind) {
    case 'not-authentic':
      return toAuthenticationAnswer(refusal.refusal);
    case 'rate-limited':
      return toRateAnswer(refusal);
    case 'overloaded':
    case 'replayed':
    case 'upstream-throttled':
    case 'unavailable':
      return toRetryAnswer(refusal, asked);
    case 'revoked':
      return toRevokedAnswer(refusal);
    case 'internal':
      return { status: 500, error: 'InternalFailure', message: words.bugWords(asked) };
    case 'denied':
    case 'approval-required':
    case 'address-unknown':
    case 'no-key-from-a-key':
    case 'labels-full':
    case 'misconfigured':
      return toVendAnswer(refusal, asked);
    case 'not-operator':
    case 'conflict':
    case 'unrecorded':
    case 'bad-token':
      return toOperationAnswer(refusal);
    case 'invalid':
    case 'host-not-served':
    case 'body-too-large':
    case 'body-too-slow':
    case 'headers-too-large':
    case 'method-not-allowed':
    case 'not-found':
      return toHttpAnswer(refusal);
  }
}

type Of<Kind> = Extract<Refusal, { readonly kind: Kind }>;

/** Refusals of what may be possible shortly. */
function toRetryAnswer(
  refusal: Of<'overloaded' | 'replayed' | 'upstream-throttled' | 'unavailable'>,
  asked: Asked,
): RefusalAnswer {
  switch (refusal.kind) {
    case 'overloaded':
      return retryLater(503, 'ServiceUnavailable', words.OVERLOADED, RETRY_OVERLOADED);
    case 'replayed':
      return retryLater(403, 'RequestReplayed', words.REPLAYED, RETRY_REPLAYED);
    case 'upstream-throttled':
      return retryLater(503, 'UpstreamThrottled', words.UPSTREAM_THROTTLED, RETRY_THROTTLED);
    case 'unavailable': {
      const message = words.unavailableWords(refusal, asked);
      return retryLater(503, 'ServiceUnavailable', message, RETRY_UNAVAILABLE);
    }
  }
}

/** Refusals of vends and of minted keys. */
function toVendAnswer(
  refusal: Of<
    | 'denied'
    | 'approval-required'
    | 'address-unknown'
    | 'no-key-from-a-key'
    | 'labels-full'
    | 'misconfigured'
  >,
  asked: Asked,
): RefusalAnswer {
  switch (refusal.kind) {
    case 'denied': {
      const { profile, rule, reason } = refusal;
      return forbidden('PolicyDenied', words.deniedWords(refusal), { profile, rule, reason });
    }
    case 'approval-required':
      return toApprovalRequired(refusal);
    case 'address-unknown': {
      const { profile, address } = refusal;
      return forbidden('PolicyDenied', words.addressWords(profile, address), { profile });
    }
    case 'no-key-from-a-key':
      return forbidden('AccessDenied', words.NO_KEY_FROM_A_KEY, {});
    case 'labels-full':
      return retryLater(
        429,
        'QuotaExceeded',
        words.labelsWords(refusal, asked),
        refusal.retryAfterSeconds,
      );
    case 'misconfigured': {
      const { profile } = refusal;
      const message = words.misconfiguredWords(profile);
      return { status: 500, error: 'ProfileMisconfigured', message, details: { profile } };
    }
  }
}

/** Refusals of operations on sessions and revocations. */
function toOperationAnswer(
  refusal: Of<'not-operator' | 'conflict' | 'unrecorded' | 'bad-token'>,
): RefusalAnswer {
  switch (refusal.kind) {
    case 'not-operator':
      return forbidden('NotPermitted', words.notOperatorWords(refusal), {});
    case 'conflict': {
      const status = refusal.of === 'session' ? refusal.status : undefined;
      return {
        status: 409,
        error: 'Conflict',
        message: words.conflictWords(refusal),
        details: { status },
      };
    }
    case 'unrecorded': {
      const message = words.unrecordedWords(refusal);
      const answer = retryLater(503, 'ServiceUnavailable', message, RETRY_UNAVAILABLE);
      return {
        ...answer,
        details: { ...answer.details, revocation_id: `${refusal.revocation.n}` },
      };
    }
    case 'bad-token':
      return { ...validation(400, words.BAD_TOKEN), details: { field: 'next_token' } };
  }
}

/** Refusals of HTTP's own. */
function toHttpAnswer(refusal: Exclude<HttpRefusal, { readonly kind: 'internal' }>): RefusalAnswer {
  switch (refusal.kind) {
    case 'invalid':
      return { ...validation(400, refusal.message), details: { field: refusal.field } };
    case 'host-not-served':
      return validation(400, words.hostWords(refusal.host, refusal.served));
    case 'body-too-large':
      // The connection stays: it reads the rest away, within bounds, or ends. Closed at once with
      // bytes unread, it would be reset, and the sender, or the load balancer, would see that in
      // the place of this answer.
      return validation(413, words.bodyWords(refusal.limit));
    case 'body-too-slow':
      return { ...validation(400, words.BODY_TOO_SLOW), close: true };
    case 'headers-too-large':
      return { ...validation(431, words.tooLargeWords(refusal.part, refusal.limit)), close: true };
    case 'method-not-allowed': {
      const allow = refusal.allow.join(', ');
      return { ...validation(405, words.methodWords(allow)), headers: { allow } };
    }
    case 'not-found':
      return validation(404, words.NOT_FOUND);
  }
}

function toAuthenticationAnswer({ error, message }: SigV4Refusal): RefusalAnswer {
  return { status: AUTHENTICATION_STATUS[error], error, message };
}

function toRateAnswer(refusal: RateRefusal): RefusalAnswer {
  const { retryAfterSeconds } = refusal;
  const answer = retryLater(429, 'RateLimited', words.rateWords(refusal), retryAfterSeconds);
  if (refusal.limit !== 'caller') return answer;
  const { requests, windowSeconds } = refusal;
  const rate = toRateHeaders({ requests, windowSeconds, left: 0, resetSeconds: retryAfterSeconds });
  return { ...answer, headers: { ...answer.headers, ...rate } };
}

function toRevokedAnswer({ revoked, until }: RevokedRefusal): RefusalAnswer {
  const details = { until: until === undefined ? undefined : formatInstant(until) };
  return forbidden('SessionRevoked', words.revokedWords(revoked, until), details);
}
