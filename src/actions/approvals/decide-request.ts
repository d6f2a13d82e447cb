import type { Ledgers } from '../../approvals/ledger.ts';
import type { AccessRequest } from '../../approvals/request.ts';
import { USE_WITHIN } from '../../approvals/request-changes.ts';
import { endOf } from '../../approvals/row.ts';
import type { RequestStore } from '../../approvals/store.ts';
import { MAX_WINDOW_SECONDS } from '../../policy/documents/approval-policy.ts';
import { SECOND, type Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { activeSealingKey } from '../../lib/sealing.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { EndGrant } from '../end-grant.ts';
import { may, type OperationRefusal, type Operator } from '../operator.ts';
import { unavailable } from '../refusal.ts';
import { ledgerName, rootOf } from './ask.ts';
import type { Documents } from './documents.ts';
import { createJudge, type Approval, type Case, type Judged, type Step } from './judge.ts';
import type { ApprovalRecords, Tried } from './records.ts';
import { toShownRequest, type ShownRequest } from './shown-request.ts';
import { withStanding } from './standing.ts';
import { isOwn, isVisible } from './visible.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly store: Pick<RequestStore, 'read' | 'replace'>;
  readonly ledgers: Ledgers;
  readonly revocations: Pick<Revocations, 'ofGrant' | 'wasRevokedAfter' | 'top'>;
  readonly endGrant: EndGrant;
  readonly documentsOf: (snapshot: Operator['snapshot']) => Documents;
  readonly records: ApprovalRecords;
};

type Outcome = Promise<Result<ShownRequest, OperationRefusal>>;

/** How often an action is tried again on a request that another has changed meanwhile. */
const MAX_ATTEMPTS = 6;

/** The actions on a request: approve, deny, withdraw, end. */
export function createDecideRequest(dependencies: Dependencies) {
  const { clock, store, ledgers, revocations, endGrant, documentsOf, records } = dependencies;
  const { judgeApproval, judgeDenial, judgeEnd } = createJudge(revocations);

  /**
   * Ends a request in the log of revocations first: a row that somebody puts back then revives
   * nothing. Once is enough, where somebody died or lost a race between the log and the row.
   */
  async function endInLog(at: Case, reason: string): Promise<void> {
    const { request, now } = at;
    if (request.status === 'pending') return appendEnd(request.id, at, reason);
    // The root first: what extends it from now on never vends. Then what does so already has
    // sessions and tags of its own.
    await appendEnd(request.root, at, reason);
    const { entries } = await ledgers.read(ledgerName(request), now);
    const extensions = entries.filter(({ root }) => root === request.root).map(({ id }) => id);
    for (const id of new Set([request.id, ...extensions])) await appendEnd(id, at, reason);
  }

  function appendEnd(id: string, { operator, request }: Case, reason: string): Promise<void> {
    const { profile, expiresAt, status } = request;
    // Approved at the last moment, begun at the last moment, extended as often as may be.
    const until = expiresAt + USE_WITHIN + MAX_WINDOW_SECONDS * SECOND;
    return endGrant(operator, { id, profile, reason, until, vends: status === 'approved' });
  }

  /**
   * Tells the requester's ledger how long the request matters, before the row says that it was
   * approved.
   */
  async function tellLedger(request: AccessRequest, now: number): Promise<void> {
    const name = ledgerName(request);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { entries, version } = await ledgers.read(name, now);
      const others = entries.filter(({ id }) => id !== request.id);
      const { id, profile, createdAt: at } = request;
      const startsAt = entries.find((entry) => entry.id === id)?.startsAt;
      // Whoever dies now leaves a row that is pending still: it must be found for as long as it may
      // be approved.
      const until = Math.max(endOf(request), request.expiresAt);
      const pending = request.status === 'pending';
      const entry = { id, profile, at, until, pending, startsAt, root: rootOf(request) };
      if ((await ledgers.write(name, [...others, entry], version)) === 'written') return;
    }
    throw new Error(`the ledger of requests of ${name} is written by too many at once`);
  }

  /**
   * Reads the request, consistently; the refusal of one that does not exist is that of one that is
   * nobody's business.
   */
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
    const standing = withStanding(request, documents, revocations, now);
    return ok({ operator, request: standing, party, documents, sealing, now });
  }

  /** Writes what an action made of a request; `lost` if another has changed it meanwhile. */
  async function write(
    at: Case,
    { next, ends }: Step,
    reason: string,
  ): Promise<'replaced' | 'lost'> {
    if (ends) await endInLog(at, reason);
    if (next.status === 'approved' && at.request.status === 'pending')
      await tellLedger(next, at.now);
    return store.replace(next, at.sealing);
  }

  function show({ documents, now }: Case, request: AccessRequest): ShownRequest {
    return toShownRequest(request, documents, revocations, now);
  }

  /**
   * Runs one action: find the request, use the HTTP request up, judge, write, and acknowledge once
   * the record is written. What another changed meanwhile is judged anew.
   */
  async function act(
    operator: Operator,
    id: string,
    tried: Tried,
    judge: (at: Case) => Judged,
  ): Outcome {
    let isReserved = false;
    try {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const found = await open(operator, id);
        if (!found.ok)
          return await records.deny(operator, { ...tried, request_id: id }, found.refusal);
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

  /** Approves what was shown, as one of those whose approval the rule wants. */
  function approve(operator: Operator, id: string, approval: Approval): Outcome {
    const tried = {
      action: 'approved',
      approver_comment: approval.comment,
      digest: approval.digest,
    } as const;
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

  /**
   * Ends a request before its time: its requester, a reviewer of it, or an operator who may revoke.
   */
  function end(operator: Operator, id: string, reason: string): Outcome {
    return act(operator, id, { action: 'ended', reason }, (at) => {
      const isReviewer = at.request.reviews.some(
        ({ reviewer }) => reviewer.subject === at.party.subject,
      );
      const isAllowed =
        isOwn(at.request, at.party, at.documents) ||
        isReviewer ||
        may(operator, 'revoke', at.request.profile);
      return judgeEnd(at, isAllowed, reason);
    });
  }

  return { approve, deny, cancel, end };
}
