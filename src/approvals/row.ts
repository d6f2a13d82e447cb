import { attributes, isoTime, textAt, timeAt, toTtl, type Item } from '../aws/attributes.ts';
import { DAY } from '../lib/clock.ts';
import { isSignedRow, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import { REQUEST_STATUSES } from '../contract/fields.ts';
import { latestEnd, type AccessRequest, type RequestStatus } from './request.ts';

/** A row as Sentinel has it, which anybody may have written. It is shown and can take away; it never grants. */
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
 * The row of a request: its state in one signed text, which alone counts, and beside it Sentinel's attributes for its own
 * programs and for the indexes.
 *
 * @param table the name of the table, so that a row that is copied to another one means nothing there
 */
export function toRequestItem(request: AccessRequest, table: string, sealing: SealingKey): Item {
  const state = JSON.stringify(request);
  const decided = request.reviews.findLast(({ verdict }) => verdict === 'approve' || request.status === 'denied');
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
    state,
    signature: signRow(sealing, PURPOSE, [table, state]),
    ttl: toTtl(endOf(request) + KEPT),
  });
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

/** Reads a row that anybody may have written; undefined for what is no request at all. */
export function toRequestRow(item: Item, table: string, keys: SealingKeys): RequestRow | undefined {
  const id = textAt(item, 'id') ?? '';
  const status = textAt(item, 'status');
  const state = textAt(item, 'state') ?? '';
  if (state !== '' && isSignedRow(textAt(item, 'signature') ?? '', keys, PURPOSE, [table, state])) {
    const request = JSON.parse(state) as AccessRequest;
    if (request.id === id) return { genuine: true, request: withForeignStatus(request, status) };
  }
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
