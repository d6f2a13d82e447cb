import { attributes, isoTime, textAt, timeAt, toTtl, type Item } from '../aws/attributes.ts';
import { isSignedRow, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import { isOutboxPending, OUTBOX_PENDING } from '../notify/table-source.ts';
import { KEPT } from './bounds.ts';
import {
  endOf,
  EVENT_STATUSES,
  owesBlockingReview,
  type BreakGlassEvent,
  type EventStatus,
} from './event.ts';
import { withUntold } from './told.ts';

/** A row as Sentinel has it, which anybody may have written. It is shown; it grants nothing. */
export type ForeignEvent = {
  readonly id: string;
  readonly invoker: string;
  readonly profile: string;
  readonly status: EventStatus;
  readonly reasonCode: string;
  readonly justification: string;
  /** Epoch milliseconds; 0 for what is no time. */
  readonly createdAt: number;
};

/** A row of the table: what the TVM wrote and signed, or what somebody else did. */
export type EventRow =
  | { readonly genuine: true; readonly event: BreakGlassEvent }
  | { readonly genuine: false; readonly foreign: ForeignEvent };

/** A drill is signed for another purpose: no change of its state makes a grant of it. */
const PURPOSES = { grant: 'break-glass event', drill: 'break-glass drill' } as const;

const NANOSECONDS = 1_000_000_000;

/**
 * What Sentinel's programs are told of a drill, which they would take for a grant: that it is over.
 */
const DRILL_REASON = 'a drill';

function purposeOf({ drill }: Pick<BreakGlassEvent, 'drill'>): string {
  return drill ? PURPOSES.drill : PURPOSES.grant;
}

/** What Sentinel's attributes say of the end. */
function toClosing({ drill, status, closed }: BreakGlassEvent) {
  if (drill) return { status: 'closed', closed_by: undefined, closed_reason: DRILL_REASON };
  return { status, closed_by: closed?.by.name, closed_reason: closed?.reason };
}

/**
 * The row of an event: its state in one signed text, which alone counts, and beside it Sentinel's
 * attributes for its own programs and for the indexes. A row whose blocking review is owed is kept
 * until there is one.
 *
 * @param table the name of the table, so that a row that is copied to another one means nothing
 *   there
 * @param isHeard whether there is a receiver of events, so that what this writing tells is to be
 *   sent
 */
export function toEventItem(
  event: BreakGlassEvent,
  table: string,
  sealing: SealingKey,
  isHeard = false,
): Item {
  const state = JSON.stringify(event);
  return attributes({
    id: event.id,
    invoker: event.invoker.name,
    profile: event.profile,
    reason_code: event.reasonCode,
    justification: event.justification,
    duration: event.seconds * NANOSECONDS,
    ...toClosing(event),
    created_at: isoTime(event.openedAt),
    updated_at: isoTime(event.updatedAt),
    expires_at: isoTime(endOf(event)),
    request_id: event.id,
    version: event.version,
    confirm_by: event.confirmed === undefined ? event.confirmBy : undefined,
    ...(isHeard ? OUTBOX_PENDING : {}),
    state,
    signature: signRow(sealing, purposeOf(event), [table, state]),
    ttl: owesBlockingReview(event) ? undefined : toTtl(event.endsAt + KEPT),
  });
}

function isStatus(text: string | undefined): text is EventStatus {
  return EVENT_STATUSES.some((status) => status === text);
}

/** What somebody without the TVM's keys wrote over a row takes away, and does nothing else. */
function withForeignStatus(event: BreakGlassEvent, status: string | undefined): BreakGlassEvent {
  const isOver = status === 'closed' || status === 'expired';
  return isOver && event.status === 'active' && !event.drill ? { ...event, status } : event;
}

/**
 * Reads what the TVM has signed of a row, whatever else stands in it; undefined if that is nothing.
 */
export function readSigned(
  item: Item,
  table: string,
  keys: SealingKeys,
): BreakGlassEvent | undefined {
  const state = textAt(item, 'state') ?? '';
  const signature = textAt(item, 'signature') ?? '';
  const purpose = Object.values(PURPOSES).find((one) =>
    isSignedRow(signature, keys, one, [table, state]),
  );
  if (state === '' || purpose === undefined) return undefined;
  const event = JSON.parse(state) as BreakGlassEvent;
  const isItsOwn = event.id === textAt(item, 'id') && purposeOf(event) === purpose;
  return isItsOwn ? withUntold(event, isOutboxPending(item)) : undefined;
}

/** Reads a row that anybody may have written; undefined for what is no event at all. */
export function toEventRow(item: Item, table: string, keys: SealingKeys): EventRow | undefined {
  const id = textAt(item, 'id') ?? '';
  const status = textAt(item, 'status');
  const event = readSigned(item, table, keys);
  if (event !== undefined) return { genuine: true, event: withForeignStatus(event, status) };
  if (id === '' || !isStatus(status)) return undefined;
  return {
    genuine: false,
    foreign: {
      id,
      invoker: textAt(item, 'invoker') ?? '',
      profile: textAt(item, 'profile') ?? '',
      status,
      reasonCode: textAt(item, 'reason_code') ?? '',
      justification: textAt(item, 'justification') ?? '',
      createdAt: timeAt(item, 'created_at') ?? 0,
    },
  };
}
