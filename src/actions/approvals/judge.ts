import { differencesOf, toDigest } from '../../approvals/digest.ts';
import {
  isLive,
  statusAt,
  type AccessRequest,
  type Party,
  type Review,
} from '../../approvals/request.ts';
import { approved, cancelled, denied, withReview } from '../../approvals/request-changes.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { SealingKey } from '../../lib/sealing.ts';
import { groupsFor, isApproveTime } from '../../policy/approval/rule.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { OperationRefusal, Operator } from '../operator.ts';
import { unavailable } from '../refusal.ts';
import type { Documents } from './documents.ts';
import { isEndedInLog } from './ended.ts';
import { isDenied, mayReview, tally } from './tally.ts';
import { isOwn } from './visible.ts';

/** What an approver says. */
export type Approval = {
  /** The digest of what they saw. */
  readonly digest: string;
  readonly comment: string | undefined;
  /** A shorter time than was asked for, in seconds. */
  readonly seconds: number | undefined;
};

/** A request that somebody acts on, and what is known of both. */
export type Case = {
  readonly operator: Operator;
  readonly request: AccessRequest;
  readonly party: Party;
  readonly documents: Documents;
  readonly sealing: SealingKey;
  readonly now: number;
};

/** What an action makes of a request; `ends` where it takes it away for good. */
export type Step = { readonly next: AccessRequest; readonly ends: boolean };

/** What an action comes to; undefined where it was done before, by the same word. */
export type Judged = Result<Step | undefined, OperationRefusal>;

/** Refuses whoever may not review a request at this moment. */
function checkReviewer({ request, party, documents, now }: Case): OperationRefusal | undefined {
  if (documents.people === undefined) return unavailable('people');
  const counting = documents.countingFor(request, now);
  if (isOwn(request, party, documents)) return { kind: 'not-approver', id: request.id, why: 'own' };
  if (counting === undefined || !mayReview(request, party, documents.toApprover(party), counting)) {
    return { kind: 'not-approver', id: request.id, why: 'no-group' };
  }
  return isApproveTime(counting.rule, now)
    ? undefined
    : { kind: 'not-approver', id: request.id, why: 'not-now' };
}

/** Whether the caller has approved the same before: then there is nothing to do. */
function isRepeated({ request, party }: Case, { digest, seconds }: Approval): boolean {
  const isOpen = request.status === 'pending' || request.status === 'approved';
  return (
    isOpen &&
    request.reviews.some(
      (one) =>
        one.reviewer.subject === party.subject &&
        one.verdict === 'approve' &&
        one.digest === digest &&
        (seconds === undefined || one.seconds === seconds),
    )
  );
}

/**
 * Refuses what has nothing left that could be taken away; the row may lag behind the log, where
 * somebody died.
 */
function checkOpen({ request, now }: Case): OperationRefusal | undefined {
  const { grant } = request;
  const status = statusAt(request, now);
  const isOpen = status === 'approved' && grant !== undefined && isLive(grant, now);
  return isOpen || status === 'pending'
    ? undefined
    : { kind: 'request-over', id: request.id, status };
}

/** Judges the taking away of a request, by whoever may. */
function judgeEnd(at: Case, isAllowed: boolean, reason: string): Judged {
  const { request, party, now } = at;
  if (!isAllowed) return refuse({ kind: 'not-approver', id: request.id, why: 'no-group' });
  const over = checkOpen(at);
  if (over !== undefined) return refuse(over);
  return ok({ next: cancelled(request, party, reason, now), ends: true });
}

/**
 * Judges actions on a request as it was read, by documents and revocations as they are known here:
 * no I/O.
 */
export function createJudge(revocations: Pick<Revocations, 'ofGrant' | 'wasRevokedAfter' | 'top'>) {
  /** Refuses what is not pending, or whose requester has been revoked since. */
  function checkPending({ request, documents, now }: Case): OperationRefusal | undefined {
    const status = statusAt(request, now);
    if (status !== 'pending') return { kind: 'request-over', id: request.id, status };
    const isOver =
      isEndedInLog(request, revocations) ||
      revocations.wasRevokedAfter(documents.toSubject(request.requester), request.seen);
    return isOver ? { kind: 'request-over', id: request.id, status: 'cancelled' } : undefined;
  }

  function toReview(
    { party, documents, now, request }: Case,
    said: Pick<Review, 'verdict'> & Partial<Review>,
  ): Review {
    const counting = documents.countingFor(request, now);
    const approver = documents.toApprover(party);
    return {
      reviewer: party,
      isBot: approver.isBot,
      groups: counting === undefined ? [] : [...groupsFor(counting.groups, approver)],
      digest: '',
      seconds: undefined,
      comment: undefined,
      at: now,
      seen: revocations.top(),
      ...said,
    };
  }

  function judgeApproval(at: Case, approval: Approval): Judged {
    const { request, documents, now } = at;
    if (isRepeated(at, approval)) return ok(undefined);
    const stopped = checkReviewer(at) ?? checkPending(at);
    if (stopped !== undefined) return refuse(stopped);
    const counting = documents.countingFor(request, now);
    const shown = documents.shownFor(request.id, request, now);
    if (counting === undefined || shown === undefined) {
      return refuse({ kind: 'request-over', id: request.id, status: 'cancelled' });
    }
    if (counting.rule.comment === 'required' && approval.comment === undefined) {
      return refuse({ kind: 'request-field', field: 'comment', profile: request.profile });
    }
    if ((approval.seconds ?? 0) > request.seconds)
      return refuse({ kind: 'request-too-long', longest: request.seconds });
    // Approve exactly what was shown, or nothing.
    const digest = toDigest(shown);
    if (digest !== approval.digest) {
      const differences = differencesOf(request.shown, shown);
      return refuse({ kind: 'request-changed', id: request.id, digest, differences });
    }
    const { seconds, comment } = approval;
    const reviewed = withReview(
      request,
      toReview(at, { verdict: 'approve', digest, seconds, comment }),
      shown,
    );
    const { isMet, counted } = tally(reviewed, digest, counting);
    const next = isMet
      ? approved(reviewed, { reviews: counted, digest, now, auto: false })
      : reviewed;
    return ok({ next, ends: false });
  }

  function judgeDenial(at: Case, comment: string): Judged {
    const { request, party, documents, now } = at;
    const stopped = checkReviewer(at);
    if (stopped !== undefined) return refuse(stopped);
    // What the log took away already, before somebody died, is still to be denied in its row.
    const status = statusAt(request, now);
    if (status !== 'pending') return refuse({ kind: 'request-over', id: request.id, status });
    const counting = documents.countingFor(request, now);
    const reviewed = withReview(request, toReview(at, { verdict: 'deny', comment }), request.shown);
    const isOver = counting !== undefined && isDenied(reviewed, counting);
    return ok({ next: isOver ? denied(reviewed, party, comment, now) : reviewed, ends: isOver });
  }

  return { judgeApproval, judgeDenial, judgeEnd };
}
