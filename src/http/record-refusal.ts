import type { RefusalEntry } from '../audit/record.ts';
import type { Refusals } from '../audit/refusals.ts';
import { causeOf } from '../actions/refusal.ts';
import { NO_AUDIT } from '../actions/vend/vend.ts';
import type { Arrival } from './arrival.ts';
import type { Refusal } from './refusals.ts';

/** What is known of a refused request. */
export type Refused = Pick<Arrival, 'head' | 'requestId'> & {
  readonly address: string | undefined;
  /** The access key that it claims to be signed with. */
  readonly claimed: string | undefined;
};

/** What the record says of a refusal of identity; undefined for refusals of other things. */
function describeRefusal(refusal: Refusal) {
  if (refusal.kind === 'not-authentic') {
    const { error, message } = refusal.refusal;
    const { upstreamCode } = refusal;
    return {
      error,
      reason: message,
      ...(upstreamCode === undefined ? {} : { upstream_code: upstreamCode }),
    };
  }
  if (refusal.kind === 'revoked' && refusal.caller !== undefined) {
    const { name: user, principal, subject } = refusal.caller;
    return { error: 'SessionRevoked', reason: refusal.what, user, principal, subject };
  }
  if (refusal.kind === 'replayed') {
    return { error: 'RequestReplayed', reason: 'The nonce was used before.' };
  }
  return refusal.kind === 'rate-limited' ? { error: 'RateLimited', reason: refusal.what } : undefined;
}

/** The record of a refusal; undefined for what is neither a refusal of identity nor a 503. */
function toEntry(refusal: Refusal, { head, requestId, address, claimed }: Refused): RefusalEntry | undefined {
  const common = {
    http_request_id: requestId,
    ...(address === undefined ? {} : { source_ip: address }),
    effect: 'deny' as const,
    method: head.method,
    path: head.path,
    ...(claimed === undefined ? {} : { claimed_access_key_id: claimed }),
  };
  const cause = causeOf(refusal);
  if (cause !== undefined) {
    const what = refusal.kind === 'unavailable' ? refusal.what : cause;
    const reason = `${what} is not available`;
    return { event: 'unavailable', ...common, error: refusal.kind, cause, reason };
  }
  const why = describeRefusal(refusal);
  return why === undefined ? undefined : { event: 'identity_refused', ...common, ...why };
}

/**
 * Records why a request was refused before anybody knew who sent it, and gives the refusal to answer
 * with: another one where the record could not be written in time.
 */
export async function recordRefusal(refusals: Refusals, refusal: Refusal, refused: Refused): Promise<Refusal> {
  const entry = toEntry(refusal, refused);
  if (entry === undefined || (await refusals.record(entry))) return refusal;
  return NO_AUDIT;
}
