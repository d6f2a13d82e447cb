import type { EventStatus } from '../../breakglass/event.ts';
import type { LedgerFull } from '../../breakglass/quota.ts';

/** Why something about break-glass was not done. `http/break-glass-answers` has the words. */
export type BreakGlassRefusal =
  /** Policy lets the caller vend without. */
  | { readonly kind: 'no-emergency-needed'; readonly profile: string }
  /** The rule is for the caller, and not for this reason. */
  | { readonly kind: 'reason-not-allowed'; readonly allowed: readonly string[] }
  /** The rule is for the caller, and not at this time. */
  | { readonly kind: 'not-at-this-time'; readonly rule: string }
  /** A longer time than the rule allows; in seconds. */
  | { readonly kind: 'event-too-long'; readonly longest: number }
  /** A rate rule wants a pause. Epoch milliseconds. */
  | {
      readonly kind: 'event-rate';
      readonly of: 'cooldown' | 'user-quota' | 'profile-quota';
      readonly rule: string;
      readonly retryAt: number;
      readonly retryAfterSeconds: number;
    }
  /** No further use can be put on record. */
  | { readonly kind: 'uses-full'; readonly of: LedgerFull['of'] }
  /** A use of the same person waits for its review, which is overdue. Epoch milliseconds. */
  | { readonly kind: 'event-unreviewed'; readonly id: string; readonly since: number }
  /** There is no such event, or it is none of the caller's business: they cannot tell which. */
  | { readonly kind: 'no-event'; readonly id: string }
  /** The caller may see the event, and may not do this with it. */
  | {
      readonly kind: 'not-for-event';
      readonly id: string;
      readonly why: 'own' | 'not-named' | 'not-closer';
    }
  /** The event is over. */
  | { readonly kind: 'event-over'; readonly id: string; readonly status: EventStatus }
  /** The event is not as the action needs it. */
  | {
      readonly kind: 'event-state';
      readonly id: string;
      readonly status: EventStatus;
      readonly why: 'needs-no-confirmation' | 'confirmed' | 'reviewed' | 'not-over';
    }
  /** It was done and stands, but its record could not be written in time. */
  | { readonly kind: 'event-unrecorded'; readonly id: string };
