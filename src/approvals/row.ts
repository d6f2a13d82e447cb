import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Item } from '../aws/table.ts';
import { DAY, SECOND } from '../lib/clock.ts';
import { isSignedRow, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import { latestEnd, REQUEST_STATUSES, type AccessRequest, type RequestStatus } from './request.ts';

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

function iso(ms: number): AttributeValue {
  return { S: new Date(ms).toISOString() };
}

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
export function toRequestItem(request: AccessRequest, table: string, sealing: SealingKey) {
  const state = JSON.stringify(request);
  const decided = request.reviews.findLast(({ verdict }) => verdict === 'approve' || request.status === 'denied');
  return {
    id: { S: request.id },
    requester: { S: request.requester.name },
    profile: { S: request.profile },
    justification: { S: request.justification },
    duration: { N: String((request.grant?.seconds ?? request.seconds) * NANOSECONDS) },
    status: { S: request.status },
    created_at: iso(request.createdAt),
    updated_at: iso(request.updatedAt),
    expires_at: iso(endOf(request)),
    ...(decided === undefined ? {} : { approver: { S: decided.reviewer.name } }),
    ...(decided?.comment === undefined ? {} : { approver_comment: { S: decided.comment } }),
    version: { N: String(request.version) },
    state: { S: state },
    signature: { S: signRow(sealing, PURPOSE, [table, state]) },
    ttl: { N: String(Math.ceil((endOf(request) + KEPT) / SECOND)) },
  };
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
  const id = item['id']?.S ?? '';
  const status = item['status']?.S;
  const state = item['state']?.S ?? '';
  if (state !== '' && isSignedRow(item['signature']?.S ?? '', keys, PURPOSE, [table, state])) {
    const request = JSON.parse(state) as AccessRequest;
    if (request.id === id) return { genuine: true, request: withForeignStatus(request, status) };
  }
  if (id === '' || !isStatus(status)) return undefined;
  return {
    genuine: false,
    foreign: {
      id,
      requester: item['requester']?.S ?? '',
      profile: item['profile']?.S ?? '',
      status,
      justification: item['justification']?.S ?? '',
      createdAt: Date.parse(item['created_at']?.S ?? '') || 0,
    },
  };
}
