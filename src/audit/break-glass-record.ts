import type { Common, UnavailableCause, Who } from './common.ts';

/**
 * What somebody did about break-glass, or tried to. Sentinel's names of fields, and more of ours.
 */
export type BreakGlassRecord = Common &
  Who & {
    readonly event: 'break_glass';
    readonly action: 'invoked' | 'confirmed' | 'closed' | 'reviewed' | 'listed';
    readonly effect: 'allow' | 'deny';
    /** The id of the event; Sentinel's log has it as `request_id` too. */
    readonly event_id?: string | undefined;
    /** Who did it, by the name that documents use. */
    readonly actor: string;
    readonly invoker?: string | undefined;
    readonly profile?: string | undefined;
    readonly reason_code?: string | undefined;
    readonly justification?: string | undefined;
    readonly ticket?: string | undefined;
    /** The state of the event after it. */
    readonly status?: string | undefined;
    readonly duration_seconds?: number | undefined;
    readonly expires_at?: string | undefined;
    readonly break_glass_rule?: string | undefined;
    /** An exercise, which vends nothing. */
    readonly drill?: boolean | undefined;
    /** So many uses were before it that others are to hear of it. */
    readonly escalated?: boolean | undefined;
    readonly confirmed_by?: string | undefined;
    readonly closed_by?: string | undefined;
    readonly closed_reason?: string | undefined;
    readonly reviewed_by?: string | undefined;
    /** What whoever confirmed or reviewed it said. */
    readonly comment?: string | undefined;
    readonly error?: string | undefined;
    readonly cause?: UnavailableCause | undefined;
  };
