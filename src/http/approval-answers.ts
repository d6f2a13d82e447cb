import type { GrantProblem } from '../actions/approvals/check-grant.ts';
import type {
  ApprovalRefusal,
  ApprovalRequired,
  Blocked,
  RequestField,
} from '../actions/approvals/refusal.ts';
import {
  forbidden,
  RETRY_UNAVAILABLE,
  retryLater,
  validation,
  type RefusalAnswer,
} from './refusal-answer.ts';

/** The statuses and words of what is refused about approvals. */

const FIELDS: Readonly<Record<RequestField, readonly [field: string, sentence: string]>> = {
  justification: ['justification', 'say why you need it, in 10 to 500 characters'],
  'ticket-missing': ['ticket', 'the rule wants the ticket that it is for'],
  'ticket-malformed': ['ticket', 'it is not a ticket as the rule wants it'],
  comment: ['comment', 'the rule wants a comment of those who approve'],
  extends: ['extends', 'it must be the id of a request of yours for this profile that is in force'],
  'extends-never': ['extends', 'the rule of this request does not let it be extended'],
  'extends-often': ['extends', 'it was extended as often as its rule allows'],
  'extends-full': ['extends', 'it lasts as long already as it may altogether'],
};

const WHY = {
  own: 'nobody approves, denies or reviews what they asked for themselves, under whatever identity',
  'no-group': 'you are in no group of approvers that this request needs',
  'not-now': 'the rule lets it be approved at certain times only, and this is none of them',
} as const;

const BLOCKED: Readonly<Record<GrantProblem, string>> = {
  'not-approved': 'was not approved',
  ended: 'has ended',
  'another-requester': 'was given to somebody else of this name',
  revoked: 'was ended for good, for its requester or an approver was revoked meanwhile',
  stale: 'does not vend, for it was given for something else than what would be vended now',
  quorum: 'does not vend, for not everybody who approved it still may',
  suspended: 'does not vend while the document of people is broken',
  clock: 'does not vend while the clock of this server is not AWS’s',
};

function blockedWords(blocked: Blocked | undefined): string {
  if (blocked === undefined) return '';
  const { id, why, changed } = blocked;
  const what = changed.length === 0 ? '' : `: ${changed.join(', ')}`;
  return ` Request ${id}, which was approved, ${BLOCKED[why]}${what}.`;
}

/** What a vend is told that needs an approval: where to go on. */
export function toApprovalRequired({ profile, reason, next }: ApprovalRequired): RefusalAnswer {
  const says = reason === undefined ? '' : ` The rule says: ${reason}`;
  const details = { profile, reason };
  switch (next.kind) {
    case 'requested': {
      const { id, isApproved, statusUrl, needs, blocked } = next;
      const state = isApproved
        ? 'was approved by its rule just now; vend again'
        : `waits for its approvers; ask for ${statusUrl} until it is approved, then vend again`;
      const message = `Profile ${profile} needs an approval, and request ${id} for one ${state}.${blockedWords(blocked)}${says}`;
      return forbidden('PolicyRequiresApproval', message, {
        ...details,
        request_id: id,
        approval_status_url: statusUrl,
        needs,
      });
    }
    case 'ask': {
      const [field, sentence] = FIELDS[next.field];
      const message = `Profile ${profile} needs an approval: ${sentence}; send "${field}" with the vend, or ask with POST /requests.${says}`;
      return forbidden('PolicyRequiresApproval', message, { ...details, field });
    }
    case 'nobody':
      return forbidden(
        'PolicyRequiresApproval',
        `Profile ${profile} needs an approval, and no rule of the approval policy says who gives it to you; ask the TVM's operator.${says}`,
        details,
      );
  }
}

/** The kinds of refusals about approvals; the compiler finds one that is missing. */
const KINDS: Readonly<Record<ApprovalRefusal['kind'], true>> = {
  'no-approval-needed': true,
  'no-approval-rule': true,
  'request-field': true,
  'request-too-long': true,
  'request-pending': true,
  'requests-full': true,
  'no-request': true,
  'not-approver': true,
  'request-over': true,
  'request-changed': true,
  'request-unrecorded': true,
};

/** Whether a refusal is about an approval. */
export function isApprovalRefusal(refusal: { readonly kind: string }): refusal is ApprovalRefusal {
  return Object.hasOwn(KINDS, refusal.kind);
}

/** The answer to a refusal about approvals. */
export function toApprovalAnswer(refusal: ApprovalRefusal): RefusalAnswer {
  switch (refusal.kind) {
    case 'no-request':
    case 'not-approver':
    case 'request-over':
    case 'request-changed':
    case 'request-unrecorded':
      return toDecisionAnswer(refusal);
    case 'no-approval-needed':
    case 'no-approval-rule':
    case 'request-field':
    case 'request-too-long':
    case 'request-pending':
    case 'requests-full':
      return toAskingAnswer(refusal);
  }
}

type Of<Kind> = Extract<ApprovalRefusal, { readonly kind: Kind }>;

/** Refusals of asking for an approval. */
function toAskingAnswer(
  refusal: Of<
    | 'no-approval-needed'
    | 'no-approval-rule'
    | 'request-field'
    | 'request-too-long'
    | 'request-pending'
    | 'requests-full'
  >,
): RefusalAnswer {
  switch (refusal.kind) {
    case 'no-approval-needed':
      return conflict(`Profile ${refusal.profile} needs no approval; vend it.`, {
        status: 'not_needed',
      });
    case 'no-approval-rule':
      return forbidden(
        'PolicyRequiresApproval',
        `No rule of the approval policy says who approves profile ${refusal.profile} for you; ask the TVM's operator.`,
        { profile: refusal.profile },
      );
    case 'request-field':
    case 'request-too-long':
      return toFieldAnswer(refusal);
    case 'request-pending': {
      const { id, profile } = refusal;
      const message = `Request ${id} of yours for profile ${profile} is pending, and asks for something else; cancel it first, or wait.`;
      return conflict(message, { status: 'pending', request_id: id });
    }
    case 'requests-full': {
      const { most, retryAfterSeconds } = refusal;
      const message = `You have ${most} requests open, which is the most; cancel one, or wait until one is decided.`;
      return retryLater(429, 'QuotaExceeded', message, retryAfterSeconds);
    }
  }
}

/** Refusals of a field of what is asked for. */
function toFieldAnswer(refusal: Of<'request-field' | 'request-too-long'>): RefusalAnswer {
  if (refusal.kind === 'request-too-long') {
    const message = `The field "duration" must be at most ${refusal.longest} seconds here.`;
    return { ...validation(400, message), details: { field: 'duration' } };
  }
  const [field, sentence] = FIELDS[refusal.field];
  const message = `The field "${field}" is missing or not good: ${sentence}.`;
  return { ...validation(400, message), details: { field } };
}

/** Refusals of looking at a request, and of deciding on it. */
function toDecisionAnswer(
  refusal: Of<
    'no-request' | 'not-approver' | 'request-over' | 'request-changed' | 'request-unrecorded'
  >,
): RefusalAnswer {
  switch (refusal.kind) {
    case 'no-request':
      return forbidden(
        'NotPermitted',
        `There is no request ${refusal.id} that is yours to see.`,
        {},
      );
    case 'not-approver': {
      const { id, why } = refusal;
      return forbidden('NotPermitted', `Request ${id} is not yours to decide: ${WHY[why]}.`, {
        request_id: id,
      });
    }
    case 'request-over': {
      const { id, status } = refusal;
      return conflict(`Request ${id} is ${status} already.`, { status, request_id: id });
    }
    case 'request-changed':
      return toChanged(refusal);
    case 'request-unrecorded': {
      const message = `It was done with request ${refusal.id} and stands, but the audit log is not available just now and may lack its record; there is no need to send it again.`;
      const answer = retryLater(503, 'ServiceUnavailable', message, RETRY_UNAVAILABLE);
      return { ...answer, details: { ...answer.details, request_id: refusal.id } };
    }
  }
}

function toChanged({
  id,
  digest,
  differences,
}: Extract<ApprovalRefusal, { kind: 'request-changed' }>): RefusalAnswer {
  const what =
    differences.length === 0
      ? 'something else than what you saw'
      : `not what you saw: ${differences.join(', ')}`;
  const message = `What request ${id} asks for is ${what}; look at GET /requests/${id} again, and approve its digest.`;
  return {
    status: 409,
    error: 'RequestChanged',
    message,
    details: { request_id: id, digest, differences },
  };
}

function conflict(message: string, details: NonNullable<RefusalAnswer['details']>): RefusalAnswer {
  return { status: 409, error: 'Conflict', message, details };
}
