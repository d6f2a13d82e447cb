import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Item } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';
import { isSignedRow, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import { KEPT } from './bounds.ts';
import { endOf, EVENT_STATUSES, owesBlockingReview, type BreakGlassEvent, type EventStatus } from './event.ts';

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

/** What Sentinel's programs are told of a drill, which they would take for a grant: that it is over. */
const DRILL_REASON = 'a drill';

function iso(ms: number): AttributeValue {
  return { S: new Date(ms).toISOString() };
}

function purposeOf({ drill }: Pick<BreakGlassEvent, 'drill'>): string {
  return drill ? PURPOSES.drill : PURPOSES.grant;
}

/** What Sentinel's attributes say of the end. */
function toClosing({ drill, status, closed }: BreakGlassEvent): Item {
  if (drill) return { status: { S: 'closed' }, closed_reason: { S: DRILL_REASON } };
  if (closed === undefined) return { status: { S: status } };
  return { status: { S: status }, closed_by: { S: closed.by.name }, closed_reason: { S: closed.reason } };
}

/**
 * The row of an event: its state in one signed text, which alone counts, and beside it Sentinel's attributes for its own
 * programs and for the indexes. A row whose blocking review is owed is kept until there is one.
 *
 * @param table the name of the table, so that a row that is copied to another one means nothing there
 */
export function toEventItem(event: BreakGlassEvent, table: string, sealing: SealingKey): Item {
  const state = JSON.stringify(event);
  const waits = event.confirmBy !== undefined && event.confirmed === undefined;
  return {
    id: { S: event.id },
    invoker: { S: event.invoker.name },
    profile: { S: event.profile },
    reason_code: { S: event.reasonCode },
    justification: { S: event.justification },
    duration: { N: String(event.seconds * NANOSECONDS) },
    ...toClosing(event),
    created_at: iso(event.openedAt),
    updated_at: iso(event.updatedAt),
    expires_at: iso(endOf(event)),
    request_id: { S: event.id },
    version: { N: String(event.version) },
    ...(waits ? { confirm_by: { N: String(event.confirmBy) } } : {}),
    state: { S: state },
    signature: { S: signRow(sealing, purposeOf(event), [table, state]) },
    ...(owesBlockingReview(event) ? {} : { ttl: { N: String(Math.ceil((event.endsAt + KEPT) / SECOND)) } }),
  };
}

function isStatus(text: string | undefined): text is EventStatus {
  return EVENT_STATUSES.some((status) => status === text);
}

/** What somebody without the TVM's keys wrote over a row takes away, and does nothing else. */
function withForeignStatus(event: BreakGlassEvent, status: string | undefined): BreakGlassEvent {
  const isOver = status === 'closed' || status === 'expired';
  return isOver && event.status === 'active' && !event.drill ? { ...event, status } : event;
}

/** The event of a row that the TVM wrote; undefined for every other row. */
function toGenuine(item: Item, table: string, keys: SealingKeys): BreakGlassEvent | undefined {
  const state = item['state']?.S ?? '';
  const signature = item['signature']?.S ?? '';
  const purpose = Object.values(PURPOSES).find((one) => isSignedRow(signature, keys, one, [table, state]));
  if (state === '' || purpose === undefined) return undefined;
  const event = JSON.parse(state) as BreakGlassEvent;
  const isItsOwn = event.id === item['id']?.S && purposeOf(event) === purpose;
  return isItsOwn ? withForeignStatus(event, item['status']?.S) : undefined;
}

/** Reads a row that anybody may have written; undefined for what is no event at all. */
export function toEventRow(item: Item, table: string, keys: SealingKeys): EventRow | undefined {
  const event = toGenuine(item, table, keys);
  if (event !== undefined) return { genuine: true, event };
  const id = item['id']?.S ?? '';
  const status = item['status']?.S;
  if (id === '' || !isStatus(status)) return undefined;
  return {
    genuine: false,
    foreign: {
      id,
      invoker: item['invoker']?.S ?? '',
      profile: item['profile']?.S ?? '',
      status,
      reasonCode: item['reason_code']?.S ?? '',
      justification: item['justification']?.S ?? '',
      createdAt: Date.parse(item['created_at']?.S ?? '') || 0,
    },
  };
}
