import type { Event } from '../notify/event.ts';
import type { AccessRequest, Party, RequestEventType, Told } from './request.ts';

/**
 * A row whose events nobody takes keeps the latest ones: as many as a receiver is sent of one row.
 */
const MAX_UNTOLD = 8;

/**
 * What a writing of a request was, by its latest facts: undefined for one that nobody is told of,
 * such as the first use of a grant. A request whose fields were replaced is a new one to those who
 * decide. Where one writing is two things, as with an approval by a rule, it is the later one.
 */
function typeOf({
  status,
  grant,
  reviews,
  updatedAt,
}: AccessRequest): RequestEventType | undefined {
  switch (status) {
    case 'expired':
      return 'request.expired';
    case 'denied':
      return 'request.denied';
    case 'cancelled':
      return grant === undefined ? 'request.cancelled' : 'request.ended';
    case 'approved':
      return grant?.approvedAt === updatedAt ? 'request.approved' : undefined;
    case 'pending':
      return reviews.some(({ at }) => at === updatedAt) ? 'request.reviewed' : 'request.created';
  }
}

type Act = { readonly by: Party | undefined; readonly comment: string | undefined };

/** Who did it, and what they said to it. */
function actOf(
  { ended, reviews, updatedAt, requester, grant }: AccessRequest,
  type: RequestEventType,
): Act {
  const review = reviews.findLast(({ at }) => at === updatedAt);
  if (type === 'request.created') return { by: requester, comment: undefined };
  if (type === 'request.expired') return { by: undefined, comment: undefined };
  if (ended !== undefined) return { by: ended.by, comment: review?.comment ?? ended.reason };
  return { by: grant?.auto === true ? undefined : review?.reviewer, comment: review?.comment };
}

/** What the latest writing of a request tells; undefined where that is nothing. */
export function toldBy(request: AccessRequest): Told | undefined {
  const type = typeOf(request);
  if (type === undefined) return undefined;
  const { by, comment } = actOf(request, type);
  return { version: request.version, type, at: request.updatedAt, actor: by?.name, comment };
}

/** A request as it was read, with all that is not sent yet. */
export function withUntold(request: AccessRequest, isPending: boolean): AccessRequest {
  if (!isPending) return { ...request, untold: [] };
  const told = toldBy(request);
  return {
    ...request,
    untold: [...request.untold, ...(told === undefined ? [] : [told])].slice(-MAX_UNTOLD),
  };
}

/**
 * The event of one writing of a request. All but that writing's own facts is as the request has it
 * now.
 */
export function toRequestEvent(
  request: AccessRequest,
  { version, type, at, actor, comment }: Told,
): Event {
  const { id, profile, requester, justification, ticket, status, grant, seconds, expiresAt } =
    request;
  return {
    version,
    type,
    at,
    matter: {
      kind: 'request',
      id,
      profile,
      requester: requester.name,
      actor,
      justification,
      comment,
      ticket,
      reasonCode: undefined,
      status,
      seconds: grant?.seconds ?? seconds,
      endsAt: grant === undefined ? expiresAt : grant.endsAt,
      isDrill: false,
    },
  };
}
