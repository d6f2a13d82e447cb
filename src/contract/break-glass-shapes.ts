import * as v from 'valibot';
import { EVENT_STATUSES, instantText, REASON_CODES } from './fields.ts';

/** A break-glass event, as those see it whose business it is. */
export const BreakGlass = v.object({
  event_id: v.string(),
  status: v.picklist(EVENT_STATUSES),
  invoker: v.string(),
  profile: v.string(),
  reason_code: v.picklist(REASON_CODES),
  justification: v.string(),
  ticket: v.optional(v.string()),
  /** An exercise: it vends nothing. */
  drill: v.optional(v.literal(true)),
  /** So many uses were before it that others are to hear of it. */
  escalated: v.optional(v.literal(true)),
  /** Seconds that were asked for. */
  duration: v.number(),
  rule: v.string(),
  created_at: instantText,
  /**
   * When it ends as it stands, or ended: sooner than asked for until a second person confirms it.
   */
  expires_at: instantText,
  /** What somebody else must still do, until when, and who may. */
  needs: v.array(
    v.object({
      action: v.picklist(['confirm', 'review']),
      until: instantText,
      eligible: v.array(v.string()),
    }),
  ),
  confirmed_by: v.optional(v.string()),
  confirmed_at: v.optional(instantText),
  closed_by: v.optional(v.string()),
  closed_at: v.optional(instantText),
  closed_reason: v.optional(v.string()),
  /** Until when credentials that were vended before it was closed may still work. */
  credentials_end: v.optional(instantText),
  reviewed_by: v.optional(v.string()),
  reviewed_at: v.optional(instantText),
  review_comment: v.optional(v.string()),
});
export type BreakGlass = v.InferOutput<typeof BreakGlass>;

/** A page of events; one that is not full may have a next one. */
export const BreakGlassPage = v.object({
  events: v.array(BreakGlass),
  next_token: v.optional(v.string()),
});
