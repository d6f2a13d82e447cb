import type { UnavailableCause } from '../audit/record.ts';
import type { Caller } from '../identity/caller.ts';

/** Why no credentials or keys leave, as the vend path sees it. `http/refusals` puts each into words and a status. */
export type VendRefusal =
  | {
      /** Policy says no, or there is nothing to say yes: the caller cannot tell which, unless a rule names them. */
      readonly kind: 'denied';
      readonly profile: string;
      readonly user: string;
      /** The deciding rule, only where it names this caller. */
      readonly rule?: string;
      readonly reason?: string;
    }
  | { readonly kind: 'approval-required'; readonly profile: string; readonly reason?: string }
  | { readonly kind: 'address-unknown'; readonly profile: string; readonly why: string }
  | {
      /** Revoked: this caller, this profile, or everything. */
      readonly kind: 'revoked';
      readonly what: string;
      /** When it ends by itself, epoch milliseconds. */
      readonly until?: number;
      /** Set where the caller is refused everything. */
      readonly caller?: Pick<Caller, 'name' | 'principal' | 'subject'>;
    }
  | { readonly kind: 'no-key-from-a-key' }
  | {
      /** The caller has so many sessions with labels on this profile that no further label opens one. */
      readonly kind: 'labels-full';
      readonly profile: string;
      readonly most: number;
      /** When the first of them ends, epoch milliseconds. */
      readonly until: number;
      readonly retryAfterSeconds: number;
    }
  | { readonly kind: 'replayed' }
  | { readonly kind: 'upstream-throttled' }
  | {
      readonly kind: 'unavailable';
      /** What cannot be reached, as the end of a sentence: "… is not available". */
      readonly what: string;
      /** Whether what was asked for may have been done all the same: the write was sent, and no answer came. */
      readonly maybeDone?: true;
      readonly cause: UnavailableCause;
    }
  | { readonly kind: 'misconfigured'; readonly profile: string };

/** What a refusal with the status 503 is due to, for its record; undefined for all others. */
export function causeOf(refusal: {
  readonly kind: string;
  readonly cause?: UnavailableCause;
}): UnavailableCause | undefined {
  return refusal.kind === 'upstream-throttled' ? 'sts_throttled' : refusal.cause;
}
