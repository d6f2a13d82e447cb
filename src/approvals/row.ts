import { attributes, isoTime, textAt, timeAt, toTtl, type Item } from '../aws/attributes.ts';
import { DAY } from '../lib/clock.ts';
import { isSignedRow, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import { REQUEST_STATUSES } from '../contract/fields.ts';
import { isOutboxPending, OUTBOX_PENDING } from '../notify/table-source.ts';
import { toldBy, withUntold } from './event.ts';
import { latestEnd, type AccessRequest, type RequestStatus } from './request.ts';

/**
 * A row as Sentinel has it, which anybody may have written. It is shown and can take away; it never
 * grants.
 */
export type ForeignRequest = {
  readonly id: string;
  readonly requester: string;
  readonly profile: string;
  readonly status: RequestStatus;
  readonly justification: string;
  /** Epoch milliseconds; 0 for what is no time. */
  readonly createdAt: number;
};

/** A row of the table: what the TVM wrote and signed, or what somebody else did. */
export type RequestRow =
  | { readonly genuine: true; readonly request: AccessRequest }
  | { readonly genuine: false; readonly foreign: ForeignRequest };

/** How long a row outlives its request, for those who ask later. */
const KEPT = 90 * DAY;

const PURPOSE = 'access request';
const NANOSECONDS = 1_000_000_000;

/** When a request ends for certain, epoch milliseconds. */
export function endOf(request: AccessRequest): number {
  return request.grant === undefined ? request.expiresAt : latestEnd(request.grant);
}

/**
 * The row of a request: its state in one signed text, which alone counts, and beside it Sentinel's
 * attributes for its own programs and for the indexes.
 *
 * @param table the name of the table, so that a row that is copied to another one means nothing
 *   there
 * @param isHeard whether there is a receiver of events, so that what this writing tells is to be
 *   sent
 */
export function toRequestItem(
  request: AccessRequest,
  table: string,
  sealing: SealingKey,
  isHeard = false,
): Item {
  const state = JSON.stringify(request);
  const decided = request.reviews.findLast(
    ({ verdict }) => verdict === 'approve' || request.status === 'denied',
  );
  return attributes({
    id: request.id,
    requester: request.requester.name,
    profile: request.profile,
    justification: request.justification,
    duration: (request.grant?.seconds ?? request.seconds) * NANOSECONDS,
    status: request.status,
    created_at: isoTime(request.createdAt),
    updated_at: isoTime(request.updatedAt),
    expires_at: isoTime(endOf(request)),
    approver: decided?.reviewer.name,
    approver_comment: decided?.comment,
    version: request.version,
    ...(isHeard && tellsSomething(request) ? OUTBOX_PENDING : {}),
    state,
    signature: signRow(sealing, PURPOSE, [table, state]),
    ttl: toTtl(endOf(request) + KEPT),
  });
}

function tellsSomething(request: AccessRequest): boolean {
  return request.untold.length > 0 || toldBy(request) !== undefined;
}

function isStatus(text: string | undefined): text is RequestStatus {
  return REQUEST_STATUSES.some((status) => status === text);
}

/** What somebody without the TVM's keys wrote over a row takes away, and does nothing else. */
function withForeignStatus(request: AccessRequest, status: string | undefined): AccessRequest {
  const isOver = status === 'denied' || status === 'cancelled' || status === 'expired';
  const isOpen = request.status === 'pending' || request.status === 'approved';
  return isOver && isOpen ? { ...request, status } : request;
}

/**
 * Reads what the TVM has signed of a row, whatever else stands in it; undefined if that is nothing.
 */
export function readSigned(
  item: Item,
  table: string,
  keys: SealingKeys,
): AccessRequest | undefined {
  const state = textAt(item, 'state') ?? '';
  if (state === '' || !isSignedRow(textAt(item, 'signature') ?? '', keys, PURPOSE, [table, state]))
    return undefined;
  const request = JSON.parse(state) as AccessRequest;
  return request.id === textAt(item, 'id') ? withUntold(request, isOutboxPending(item)) : undefined;
}

/** Reads a row that anybody may have written; undefined for what is no request at all. */
export function toRequestRow(item: Item, table: string, keys: SealingKeys): RequestRow | undefined {
  const id = textAt(item, 'id') ?? '';
  const status = textAt(item, 'status');
  const request = readSigned(item, table, keys);
  if (request !== undefined) return { genuine: true, request: withForeignStatus(request, status) };
  if (id === '' || !isStatus(status)) return undefined;
  return {
    genuine: false,
    foreign: {
      id,
      requester: textAt(item, 'requester') ?? '',
      profile: textAt(item, 'profile') ?? '',
      status,
      justification: textAt(item, 'justification') ?? '',
      createdAt: timeAt(item, 'created_at') ?? 0,
    },
  };
}
