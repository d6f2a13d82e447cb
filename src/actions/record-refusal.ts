import type { RefusalEntry } from '../audit/record.ts';
import type { IdentityRefusal } from '../identity/authenticator.ts';
import type { WireHead } from '../sigv4/request.ts';
import type { RevokedRefusal, UnavailableRefusal } from './refusal.ts';

/** A refusal that the audit log gives a reason for. */
export type ReasonedRefusal = IdentityRefusal | RevokedRefusal | UnavailableRefusal;

/** Puts a refusal into words for the audit log; all words of refusals are in `http`. */
export type ReasonOf = (refusal: ReasonedRefusal) => string;

/** A request as it arrives, as far as the record of its refusal tells of it. */
export type Asking = {
  readonly head: Pick<WireHead, 'method' | 'path'>;
  readonly httpRequestId: string;
  readonly address: string | undefined;
  /** Reads the access key that the request claims to be signed with; nothing has verified it. */
  readonly claimedKey: () => string | undefined;
};

/** What the record says of a refusal of identity. */
function describe(
  refusal: Exclude<ReasonedRefusal, { readonly kind: 'unavailable' }>,
  reason: string,
) {
  switch (refusal.kind) {
    case 'not-authentic':
      return { error: refusal.refusal.error, reason, upstream_code: refusal.upstreamCode };
    case 'revoked': {
      const { name: user, principal, subject } = refusal.caller ?? {};
      return { error: 'SessionRevoked', reason, user, principal, subject };
    }
    case 'replayed':
      return { error: 'RequestReplayed', reason };
    case 'rate-limited':
      return { error: 'RateLimited', reason };
  }
}

/** The record of a request that was refused before any action began. */
export function toRefusalEntry(
  refusal: ReasonedRefusal,
  asking: Asking,
  reasonOf: ReasonOf,
): RefusalEntry {
  const { head, httpRequestId, address, claimedKey } = asking;
  const common = {
    http_request_id: httpRequestId,
    source_ip: address,
    effect: 'deny' as const,
    method: head.method,
    path: head.path,
    claimed_access_key_id: claimedKey(),
  };
  const reason = reasonOf(refusal);
  if (refusal.kind === 'unavailable') {
    return { event: 'unavailable', ...common, error: refusal.kind, cause: refusal.cause, reason };
  }
  return { event: 'identity_refused', ...common, ...describe(refusal, reason) };
}
