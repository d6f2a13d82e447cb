import * as v from 'valibot';
import { APPROVAL_SECONDS } from './bounds.ts';
import {
  comment,
  digest,
  fields,
  justification,
  NEXT_TOKEN,
  profileName,
  reason,
  REQUEST_ID,
  REQUEST_STATUSES,
  REQUEST_VIEWS,
  seconds,
  ticket,
} from './fields.ts';
import { IDENTIFIED, NO_FIELDS } from './route.ts';
import { AccessRequest, RequestedAccess, RequestsPage } from './shapes.ts';

/** The endpoints of requests for an approval, by the names of their operations. */
export const REQUEST_ROUTES = {
  requestApproval: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/requests',
    does: 'asks for an approval',
    asks: 'approval',
    body: fields(
      {
        profile: profileName,
        justification: v.optional(justification),
        duration: v.optional(seconds(APPROVAL_SECONDS)),
        ticket: v.optional(ticket),
      },
      { hints: { profile: 'GET /profiles lists yours' } },
    ),
    example: '{"profile":"prod","justification":"deploy release 42"}',
    answer: RequestedAccess,
    status: 201,
  },
  listRequests: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/requests',
    does: 'lists requests for approvals',
    asks: 'question',
    query: fields({
      view: v.optional(v.picklist(REQUEST_VIEWS, `must be one of ${REQUEST_VIEWS.join(', ')}`)),
      status: v.optional(
        v.picklist(REQUEST_STATUSES, `must be one of ${REQUEST_STATUSES.join(', ')}`),
      ),
      profile: v.optional(profileName),
      [NEXT_TOKEN]: v.optional(v.string()),
    }),
    answer: RequestsPage,
  },
  showRequest: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/requests/:id',
    does: 'shows one request, and what exactly an approval of it allows',
    asks: 'question',
    id: REQUEST_ID,
    query: NO_FIELDS,
    answer: AccessRequest,
  },
  approveRequest: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/requests/:id/approve',
    does: 'approves what one request shows',
    asks: 'approval',
    id: REQUEST_ID,
    body: fields(
      { digest, comment: v.optional(comment), duration: v.optional(seconds(APPROVAL_SECONDS)) },
      { hints: { digest: 'GET /requests/{id} shows it' } },
    ),
    example: `{"digest":"${'0'.repeat(64)}"}`,
    answer: AccessRequest,
  },
  denyRequest: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/requests/:id/deny',
    does: 'denies one request',
    asks: 'approval',
    id: REQUEST_ID,
    body: fields({ comment }, { hints: { comment: 'say why' } }),
    example: '{"comment":"not on a Friday"}',
    answer: AccessRequest,
  },
  cancelRequest: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/requests/:id/cancel',
    does: 'withdraws your request',
    asks: 'approval',
    id: REQUEST_ID,
    body: NO_FIELDS,
    example: '{}',
    answer: AccessRequest,
  },
  endRequest: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/requests/:id/end',
    does: 'ends what was approved before its time',
    asks: 'approval',
    id: REQUEST_ID,
    body: fields({ reason }),
    example: '{"reason":"the deployment is done"}',
    answer: AccessRequest,
  },
} as const;
