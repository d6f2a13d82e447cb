import { SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { CALL_DEADLINE } from './bounds.ts';

/** An identity as the row of an event holds it, so that it is recognised later. */
export type Party = {
  readonly subject: string;
  readonly principal: string;
  /** The stored name, such as `key/alice`. */
  readonly name: string;
  readonly account: string;
  /**
   * IAM's unique id, or for a registered key a tag of its secret; undefined where nothing of the
   * kind is known.
   */
  readonly uniqueId: string | undefined;
};

/** The states of an event, as Sentinel has them. */
export const EVENT_STATUSES = ['active', 'closed', 'expired'] as const;

/** The state of an event. */
export type EventStatus = (typeof EVENT_STATUSES)[number];

/** What somebody opens. */
export type Opening = {
  readonly invoker: Party;
  readonly profile: string;
  /** One of Sentinel's reason codes. */
  readonly reasonCode: string;
  readonly justification: string;
  readonly ticket: string | undefined;
  /** How long, in seconds. */
  readonly seconds: number;
  /** The name of the break-glass rule that it falls under. */
  readonly rule: string;
  /** An exercise: it vends nothing, spends no quota, and no review of it is owed. */
  readonly drill: boolean;
  /** Whether so many uses were before it that others are to hear of it. */
  readonly escalated: boolean;
  /** Seconds in which a second person must confirm it; undefined where none is needed. */
  readonly confirmWithin: number | undefined;
  /** Seconds after its end in which somebody else must review it; undefined where nobody must. */
  readonly reviewWithin: number | undefined;
  /** Whether a review that is overdue keeps its person from the next use. */
  readonly overdueBlocks: boolean;
  /** The names of its person's ledgers, in which it is on record. */
  readonly ledgers: readonly string[];
  /**
   * Up to which number of the log of revocations it was known what is revoked when it was opened.
   */
  readonly seen: number;
};

/**
 * A second person's word, and up to which number of the log of revocations their instance knew what
 * is revoked.
 */
export type Confirmation = { readonly at: number; readonly by: Party; readonly seen: number };

/** What one writing of an event tells those who are to hear of it. */
export type Told = {
  readonly version: number;
  readonly type: 'invoked' | 'confirmed' | 'closed' | 'expired' | 'reviewed';
  readonly at: number;
  /** Who did it, by the stored name; undefined where time ran out. */
  readonly actor: string | undefined;
  readonly comment: string | undefined;
};

/** An emergency, with all that has become of it. Times in epoch milliseconds. */
export type BreakGlassEvent = Omit<Opening, 'confirmWithin' | 'reviewWithin'> & {
  /** Sixteen hexadecimal digits. */
  readonly id: string;
  /** Counts the writings; the first is 1. */
  readonly version: number;
  readonly status: EventStatus;
  readonly openedAt: number;
  readonly updatedAt: number;
  /** When it ends, unless somebody closes it or nobody confirms it. */
  readonly endsAt: number;
  /** Until when a second person must have confirmed it; undefined where none is needed. */
  readonly confirmBy: number | undefined;
  readonly confirmed: Confirmation | undefined;
  /** Set where somebody closed it before its end. */
  readonly closed: { readonly at: number; readonly by: Party; readonly reason: string } | undefined;
  /** Until when somebody else must have reviewed it; undefined where nobody must. */
  readonly reviewBy: number | undefined;
  readonly reviewed:
    | { readonly at: number; readonly by: Party; readonly comment: string }
    | undefined;
  /** What earlier writings tell that was not sent when this version was made, oldest first. */
  readonly untold: readonly Told[];
};

/**
 * So long before its deadline a confirmation is refused already: its writing may take as long, and
 * must not be done when the event has been seen to be over.
 */
const CONFIRM_MARGIN = CALL_DEADLINE;

/** Makes an event. */
export function toEvent(
  opening: Opening,
  { id, now }: { readonly id: string; readonly now: number },
): BreakGlassEvent {
  const { confirmWithin, reviewWithin, ...rest } = opening;
  const endsAt = now + opening.seconds * SECOND;
  const owesReview = reviewWithin !== undefined && !opening.drill;
  return {
    ...rest,
    overdueBlocks: owesReview && opening.overdueBlocks,
    id,
    version: 1,
    status: 'active',
    openedAt: now,
    updatedAt: now,
    endsAt,
    confirmBy: confirmWithin === undefined ? undefined : now + confirmWithin * SECOND,
    confirmed: undefined,
    closed: undefined,
    reviewBy: owesReview ? endsAt + reviewWithin * SECOND : undefined,
    reviewed: undefined,
    untold: [],
  };
}

/**
 * When an event ends as it stands: at its end, or at the deadline for the second person until there
 * is one.
 */
export function endOf({ endsAt, confirmBy, confirmed }: BreakGlassEvent): number {
  return confirmBy === undefined || confirmed !== undefined ? endsAt : Math.min(endsAt, confirmBy);
}

/** The state at a moment, which for what ends by itself no writing tells. */
export function statusAt(event: BreakGlassEvent, now: number): EventStatus {
  return event.status === 'active' && now >= endOf(event) ? 'expired' : event.status;
}

/** Whether a review is owed that, once overdue, blocks. */
export function owesBlockingReview({
  reviewBy,
  overdueBlocks,
  reviewed,
}: BreakGlassEvent): boolean {
  return reviewBy !== undefined && overdueBlocks && reviewed === undefined;
}

function changed(
  event: BreakGlassEvent,
  now: number,
  change: Partial<BreakGlassEvent>,
): BreakGlassEvent {
  return { ...event, ...change, version: event.version + 1, updatedAt: now };
}

/**
 * The next version, confirmed by a second person, in time. Who that may be is for the caller to
 * check. `over`: the event is closed or has ended, or ends before the confirmation could be
 * written; nothing revives it.
 */
export function confirmed(
  event: BreakGlassEvent,
  confirmation: Confirmation,
): Result<BreakGlassEvent, 'over' | 'not-needed' | 'already'> {
  const { at: now } = confirmation;
  if (statusAt(event, now) !== 'active') return refuse('over');
  if (event.confirmBy === undefined) return refuse('not-needed');
  if (event.confirmed !== undefined) return refuse('already');
  if (now + CONFIRM_MARGIN >= event.confirmBy) return refuse('over');
  return ok(changed(event, now, { confirmed: confirmation }));
}

/** The next version, closed before its end. `over`: it is closed or has ended already. */
export function closed(
  event: BreakGlassEvent,
  by: Party,
  reason: string,
  now: number,
): Result<BreakGlassEvent, 'over'> {
  if (statusAt(event, now) !== 'active') return refuse('over');
  return ok(changed(event, now, { status: 'closed', closed: { at: now, by, reason } }));
}

/**
 * The next version of an event that has ended by itself; undefined for one that has not, or is
 * known to be over.
 */
export function expired(event: BreakGlassEvent, now: number): BreakGlassEvent | undefined {
  if (event.status !== 'active' || statusAt(event, now) === 'active') return undefined;
  return changed(event, now, { status: 'expired' });
}

/**
 * The next version, reviewed by somebody else. Who that may be is for the caller to check.
 * `active`: it is not over, so that there may be more to review.
 */
export function reviewed(
  event: BreakGlassEvent,
  by: Party,
  comment: string,
  now: number,
): Result<BreakGlassEvent, 'active' | 'already'> {
  const status = statusAt(event, now);
  if (status === 'active') return refuse('active');
  if (event.reviewed !== undefined) return refuse('already');
  return ok(changed(event, now, { status, reviewed: { at: now, by, comment } }));
}
