import { isOnePerson } from '../../policy/approval/person.ts';
import { groupsFor, groupsOf } from '../../policy/approval/rule.ts';
import type { AccessRequest, Party } from '../../approvals/request.ts';
import { may, type Operator } from '../operator.ts';
import type { Documents } from './documents.ts';

/**
 * How long after its beginning the last escalation of any request has happened: a reviewer to come
 * may look already.
 */
const EVER = Number.MAX_SAFE_INTEGER;

/** Whether a request is a party's own: theirs, or another identity's of the same person. */
export function isOwn(request: AccessRequest, party: Party, documents: Documents): boolean {
  const { people } = documents;
  if (people === undefined) return request.requester.subject === party.subject;
  return isOnePerson(people, request.requester, party);
}

/** Whether a party may approve a request in a group of it, now or after its escalation. */
function mayEverReview(request: AccessRequest, party: Party, documents: Documents): boolean {
  const rule = documents.ruleFor(request.requester, request.profile);
  return (
    rule !== undefined && groupsFor(groupsOf(rule, EVER), documents.toApprover(party)).size > 0
  );
}

/**
 * Whether a request may be seen: by its requester, by those who may review it or did, and by
 * operators who may list. To everybody else it looks as if there were none.
 */
export function isVisible(
  request: AccessRequest,
  party: Party,
  operator: Operator,
  documents: Documents,
): boolean {
  return (
    isOwn(request, party, documents) ||
    request.reviews.some(({ reviewer }) => reviewer.subject === party.subject) ||
    mayEverReview(request, party, documents) ||
    may(operator, 'list', request.profile)
  );
}
