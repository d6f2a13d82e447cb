import type { ApprovalRequired } from './approvals/refusal.ts';
import type { UnavailableCause } from '../audit/common.ts';
import type { Caller } from '../identity/caller.ts';
import type { GuardRefusal } from '../replay/guard.ts';

/**
 * Why no credentials or keys leave. Refusals carry facts; `http/refusals` puts each into a status
 * and words.
 */
export type VendRefusal =
  | DeniedRefusal
  | ApprovalRequired
  | {
      /** The profile binds credentials to the caller's address, and this one cannot be bound to. */
      readonly kind: 'address-unknown';
      readonly profile: string;
      readonly address: 'unknown' | 'private';
    }
  | RevokedRefusal
  | { readonly kind: 'no-key-from-a-key' }
  | {
      /** The caller has as many labelled sessions on this profile as one may have. */
      readonly kind: 'labels-full';
      readonly profile: string;
      readonly most: number;
      /** When the first of them ends, epoch milliseconds. */
      readonly until: number;
      readonly retryAfterSeconds: number;
    }
  | { readonly kind: 'replayed' }
  | { readonly kind: 'upstream-throttled' }
  | UnavailableRefusal
  | { readonly kind: 'misconfigured'; readonly profile: string };

/**
 * Policy says no, or there is no such profile: the caller cannot tell which, unless a rule names
 * them.
 */
export type DeniedRefusal = {
  readonly kind: 'denied';
  readonly profile: string;
  readonly user: string;
  /** The deciding rule and what it says, only where it names this caller. */
  readonly rule: string | undefined;
  readonly reason: string | undefined;
};

/** The caller, the profile, the session or everything is revoked. */
export type RevokedRefusal = {
  readonly kind: 'revoked';
  readonly revoked: Revoked;
  /** When the revocation ends by itself, epoch milliseconds; undefined if only lifting ends it. */
  readonly until: number | undefined;
  /** Set where the caller is refused everything. */
  readonly caller: Pick<Caller, 'name' | 'principal' | 'subject'> | undefined;
};

/** What is revoked, as the caller may be told it. */
export type Revoked =
  | { readonly what: 'everything' }
  | { readonly what: 'profile'; readonly profile: string }
  | { readonly what: 'session'; readonly name: string; readonly profile: string }
  /** The approval or the break-glass event that a vend rested on. */
  | { readonly what: 'grant'; readonly id: string }
  | { readonly what: 'access'; readonly name: string };

/** Something that the request needs does not answer, or is missing. */
export type UnavailableRefusal = {
  readonly kind: 'unavailable';
  /** What it is. Two other refusals have a cause and a kind of their own. */
  readonly cause: Exclude<UnavailableCause, 'overloaded' | 'sts_throttled'>;
};

/** Refuses for want of something. */
export function unavailable<Cause extends UnavailableRefusal['cause']>(cause: Cause) {
  return { kind: 'unavailable', cause } as const;
}

/** The refusal of a request that the replay guard did not reserve. */
export function toGuardRefusal(refusal: GuardRefusal): VendRefusal {
  return refusal === 'replayed' ? { kind: 'replayed' } : unavailable('guard');
}

/** What a refusal with the status 503 is due to, for its record; undefined for all others. */
export function causeOf(refusal: {
  readonly kind: string;
  readonly cause?: UnavailableCause;
}): UnavailableCause | undefined {
  return refusal.kind === 'upstream-throttled' ? 'sts_throttled' : refusal.cause;
}
