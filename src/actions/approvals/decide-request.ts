import { differencesOf, toDigest } from '../../approvals/digest.ts';
import type { Ledgers } from '../../approvals/ledger.ts';
import {
  approved,
  cancelled,
  denied,
  isLive,
  statusAt,
  USE_WITHIN,
  withReview,
  type AccessRequest,
  type Party,
  type Review,
} from '../../approvals/request.ts';
import { endOf } from '../../approvals/row.ts';
import type { RequestStore } from '../../approvals/store.ts';
import { SECOND, type Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { activeSealingKey, type SealingKey } from '../../lib/sealing.ts';
import { groupsFor, isApproveTime } from '../../policy/approval/rule.ts';
import type { Revocations } from '../../revocations/feed.ts';
import { may, type OperationRefusal, type Operator } from '../operator.ts';
import { unavailable } from '../refusal.ts';
import { ledgerName } from './ask.ts';
import type { Documents } from './documents.ts';
import type { ApprovalRecords, Tried } from './records.ts';
import { toShownRequest, type ShownRequest } from './shown-request.ts';
import { isDenied, mayReview, tally } from './tally.ts';
import { isOwn, isVisible } from './visible.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly store: Pick<RequestStore, 'read' | 'replace'>;
  readonly ledgers: Ledgers;
  readonly revocations: Pick<Revocations, 'append' | 'ofGrant' | 'wasRevokedAfter' | 'top'>;
  readonly documentsOf: (snapshot: Operator['snapshot']) => Documents;
  readonly records: ApprovalRecords;
};

/** What an approver says. */
export type Approval = {
  /** The digest of what they saw. */
  readonly digest: string;
  readonly comment: string | undefined;
  /** A shorter time than was asked for, in seconds. */
  readonly seconds: number | undefined;
};

type Outcome = Promise<Result<ShownRequest, OperationRefusal>>;

/** A request that somebody acts on, and what is known of both. */
type Case = {
  readonly operator: Operator;
  readonly request: AccessRequest;
  readonly party: Party;
  readonly documents: Documents;
  readonly sealing: SealingKey;
  readonly now: number;
};

/** What an action makes of a request; `ends` where it takes it away for good. */
type Step = { readonly next: AccessRequest; readonly ends: boolean };

/** How often an action is tried again on a request that another has changed meanwhile. */
const MAX_ATTEMPTS = 6;

/** The actions on a request: approve, deny, withdraw, end. */
export function createDecideRequest(dependencies: Dependencies) {
  const { clock, store, ledgers, revocations, documentsOf, records } = dependencies;

  /** Ends a request in the log of revocations first: a row that somebody puts back then revives nothing. */
  async function endInLog({ operator, request, now }: Case, reason: string): Promise<void> {
    const { caller } = operator;
    const latest = Math.max(endOf(request), request.expiresAt + USE_WITHIN + request.seconds * SECOND);
    await revocations.append({
      what: 'revoke',
      target: { kind: 'grant', value: request.id, profile: request.profile },
      reason,
      by: caller.storedName,
      byPrincipal: caller.principal,
      createdAt: now,
      until: latest,
      own: false,
    });
  }

  /** Tells the requester's ledger how long the request matters, before the row says that it was approved. */
  async function tellLedger(request: AccessRequest, now: number): Promise<void> {
    const name = ledgerName(request);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { entries, version } = await ledgers.read(name, now);
      const others = entries.filter(({ id }) => id !== request.id);
      const { id, profile, createdAt: at } = request;
      const entry = { id, profile, at, until: endOf(request), pending: request.status === 'pending' };
      if ((await ledgers.write(name, [...others, entry], version)) === 'written') return;
    }
    throw new Error(`the ledger of requests of ${name} is written by too many at once`);
  }

  /** Reads the request, consistently; the refusal of one that does not exist is that of one that is nobody's business. */
  async function open(operator: Operator, id: string): Promise<Result<Case, OperationRefusal>> {
    const now = clock();
    const { caller, snapshot } = operator;
    const documents = documentsOf(snapshot);
    const sealing = activeSealingKey(snapshot.sealingKeys, now);
    if (sealing === undefined) return refuse(unavailable('sealing_key'));
    const row = await store.read(id, snapshot.sealingKeys);
    const party = documents.toParty(caller, now);
    const request = row?.genuine === true ? row.request : undefined;
    if (request === undefined || !isVisible(request, party, operator, documents)) {
      return refuse({ kind: 'no-request', id });
    }
    return ok({ operator, request, party, documents, sealing, now });
  }

  /** Writes what an action made of a request; `lost` if another has changed it meanwhile. */
  async function write(at: Case, { next, ends }: Step, reason: string): Promise<'replaced' | 'lost'> {
    if (ends) await endInLog(at, reason);
    if (next.status === 'approved' && at.request.status === 'pending') await tellLedger(next, at.now);
    return store.replace(next, at.sealing);
  }

  function show({ documents, now }: Case, request: AccessRequest): ShownRequest {
    return toShownRequest(request, documents, revocations.ofGrant(request.id) !== undefined, now);
  }

  /**
   * Runs one action: find the request, use the HTTP request up, judge, write, and acknowledge once the record is written.
   * What another changed meanwhile is judged anew.
   */
  async function act(
    operator: Operator,
    id: string,
    tried: Tried,
    judge: (at: Case) => Result<Step | undefined, OperationRefusal>,
  ): Outcome {
    let isReserved = false;
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const found = await open(operator, id);
        if (!found.ok) return await records.deny(operator, { ...tried, request_id: id }, found.refusal);
        const at = found.value;
        const about = { ...records.describe(at.request), ...tried };
        if (!isReserved) {
          const reserved = await records.reserve(operator, about);
          if (!reserved.ok) return reserved;
          isReserved = true;
        }
        const judged = judge(at);
        if (!judged.ok) return await records.deny(operator, about, judged.refusal);
        // What was done before, by the same word, is done.
        if (judged.value === undefined) return ok(show(at, at.request));
        if ((await write(at, judged.value, tried.reason ?? tried.action)) === 'lost') continue;
        const { next } = judged.value;
        return await records.conclude(operator, tried, next, show(at, next));
      }
    } catch (error) {
      return records.fail(operator, { ...tried, request_id: id }, error);
    }
    return records.fail(
      operator,
      { ...tried, request_id: id },
      new Error(`request ${id} is changed by too many at once`),
    );
  }

  /** Refuses what is not pending, or whose requester has been revoked since. */
  function checkPending({ request, documents, now }: Case): OperationRefusal | undefined {
    const status = statusAt(request, now);
    const isOver = revocations.ofGrant(request.id) !== undefined;
    if (
      status === 'pending' &&
      !isOver &&
      !revocations.wasRevokedAfter(documents.toSubject(request.requester), request.seen)
    ) {
      return undefined;
    }
    return { kind: 'request-over', id: request.id, status: status === 'pending' ? 'cancelled' : status };
  }

  /** Refuses whoever may not review a request at this moment. */
  function checkReviewer({ request, party, documents, now }: Case): OperationRefusal | undefined {
    if (documents.people === undefined) return unavailable('people');
    const counting = documents.countingFor(request, now);
    if (isOwn(request, party, documents)) return { kind: 'not-approver', id: request.id, why: 'own' };
    if (counting === undefined || !mayReview(request, party, documents.toApprover(party), counting)) {
      return { kind: 'not-approver', id: request.id, why: 'no-group' };
    }
    return isApproveTime(counting.rule, now) ? undefined : { kind: 'not-approver', id: request.id, why: 'not-now' };
  }

  function toReview({ party, documents, now, request }: Case, said: Pick<Review, 'verdict'> & Partial<Review>): Review {
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

  function judgeApproval(at: Case, approval: Approval): Result<Step | undefined, OperationRefusal> {
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
    const reviewed = withReview(request, toReview(at, { verdict: 'approve', digest, seconds, comment }), shown);
    const { isMet, counted } = tally(reviewed, digest, counting);
    const next = isMet ? approved(reviewed, { reviews: counted, digest, now, auto: false }) : reviewed;
    return ok({ next, ends: false });
  }

  function judgeDenial(at: Case, comment: string): Result<Step | undefined, OperationRefusal> {
    const { request, party, documents, now } = at;
    const stopped = checkReviewer(at) ?? checkPending(at);
    if (stopped !== undefined) return refuse(stopped);
    const counting = documents.countingFor(request, now);
    const reviewed = withReview(request, toReview(at, { verdict: 'deny', comment }), request.shown);
    const isOver = counting !== undefined && isDenied(reviewed, counting);
    return ok({ next: isOver ? denied(reviewed, party, comment, now) : reviewed, ends: isOver });
  }

  /** Refuses what has nothing left that could be taken away. */
  function checkOpen({ request, now }: Case): OperationRefusal | undefined {
    const isOver = revocations.ofGrant(request.id) !== undefined;
    const { grant } = request;
    const isOpen = request.status === 'approved' && grant !== undefined && isLive(grant, now);
    if ((isOpen || statusAt(request, now) === 'pending') && !isOver) return undefined;
    const status = statusAt(request, now);
    return { kind: 'request-over', id: request.id, status: status === 'pending' ? 'cancelled' : status };
  }

  function judgeEnd(at: Case, isAllowed: boolean, reason: string): Result<Step | undefined, OperationRefusal> {
    const { request, party, now } = at;
    if (!isAllowed) return refuse({ kind: 'not-approver', id: request.id, why: 'no-group' });
    const over = checkOpen(at);
    if (over !== undefined) return refuse(over);
    return ok({ next: cancelled(request, party, reason, now), ends: true });
  }

  /** Approves what was shown, as one of those whose approval the rule wants. */
  function approve(operator: Operator, id: string, approval: Approval): Outcome {
    const tried = { action: 'approved', approver_comment: approval.comment, digest: approval.digest } as const;
    return act(operator, id, tried, (at) => judgeApproval(at, approval));
  }

  /** Denies a request. */
  function deny(operator: Operator, id: string, comment: string): Outcome {
    const tried = { action: 'denied', approver_comment: comment, reason: comment } as const;
    return act(operator, id, tried, (at) => judgeDenial(at, comment));
  }

  /** Withdraws one's own request, before or after its approval. */
  function cancel(operator: Operator, id: string): Outcome {
    const reason = 'withdrawn by its requester';
    return act(operator, id, { action: 'cancelled', reason }, (at) =>
      judgeEnd(at, isOwn(at.request, at.party, at.documents), reason),
    );
  }

  /** Ends a request before its time: its requester, a reviewer of it, or an operator who may revoke. */
  function end(operator: Operator, id: string, reason: string): Outcome {
    return act(operator, id, { action: 'ended', reason }, (at) => {
      const isReviewer = at.request.reviews.some(({ reviewer }) => reviewer.subject === at.party.subject);
      const isAllowed =
        isOwn(at.request, at.party, at.documents) || isReviewer || may(operator, 'revoke', at.request.profile);
      return judgeEnd(at, isAllowed, reason);
    });
  }

  return { approve, deny, cancel, end };
}
