import type { AccessRequest, Party } from '../../approvals/request.ts';
import type { RequestStore } from '../../approvals/store.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { activeSealingKey, type SealingKeys } from '../../lib/sealing.ts';
import { checkTicket } from '../../policy/approval/rule.ts';
import { MAX_WINDOW_SECONDS, type ApprovalRule } from '../../policy/documents/approval-policy.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { KnownRequest } from '../describe-request.ts';
import type { OperationRefusal, Operator } from '../operator.ts';
import { unavailable, type UnavailableRefusal } from '../refusal.ts';
import { denied } from '../vend/decide.ts';
import type { Asked } from './ask.ts';
import type { Ask, AskedWish } from './begin.ts';
import type { Documents } from './documents.ts';
import { toExtension } from './extend.ts';
import type { ApprovalRecords, Tried } from './records.ts';
import type { ApprovalRefusal, RequestField } from './refusal.ts';
import { toShownRequest, type ShownRequest } from './shown-request.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly store: Pick<RequestStore, 'read'>;
  readonly ask: (ask: Ask) => Promise<Result<Asked, ApprovalRefusal>>;
  readonly revocations: Pick<Revocations, 'top' | 'ofGrant' | 'wasRevokedAfter'>;
  readonly documentsOf: (snapshot: Snapshot) => Documents;
  readonly records: ApprovalRecords;
};

/** What somebody asks for; `seconds` is how long the approval is to last. */
export type ApprovalWish = {
  readonly profile: string;
  readonly seconds: number | undefined;
  readonly justification: string | undefined;
  readonly ticket: string | undefined;
  /** The id of the request that it is to extend. */
  readonly extends: string | undefined;
  readonly origin: 'vend' | 'request';
};

/** A request for an approval, and whether it is new. */
export type RequestedApproval = { readonly shown: ShownRequest; readonly created: boolean };

/** How long is asked for by those who do not say: an hour, in seconds. */
const USUAL_SECONDS = 3_600;

/** What stands in the place of a justification that nobody gave. */
const BY_A_VEND = 'requested by a vend';

/** What the rule wants of a request and does not get; undefined if nothing is wrong. */
export function fieldProblem(rule: ApprovalRule, wish: ApprovalWish): RequestField | undefined {
  const needsWords = wish.origin === 'request' || rule.justification === 'required';
  if (needsWords && wish.justification === undefined) return 'justification';
  const ticket = checkTicket(rule, wish.ticket);
  return ticket === undefined ? undefined : `ticket-${ticket}`;
}

/** Who asks, for which profile, and what is known when they do. */
type Extending = {
  readonly requester: Party;
  readonly documents: Documents;
  readonly keys: SealingKeys;
  readonly profile: string;
  readonly now: number;
};

/** What the rule, and what is extended, make of a wish. */
type Settled = Pick<AskedWish, 'seconds' | 'start' | 'chain' | 'root'>;

function toTried(wish: ApprovalWish): Tried {
  const { profile, justification, ticket, seconds, extends: extended } = wish;
  return {
    action: 'requested',
    profile,
    justification,
    ticket,
    duration_seconds: seconds,
    extends: extended,
  };
}

function withSeconds(
  settled: Omit<Settled, 'seconds'>,
  asked: number | undefined,
  longest: number,
): Result<Settled, ApprovalRefusal> {
  const seconds = asked ?? Math.min(USUAL_SECONDS, longest);
  if (seconds > longest) return refuse({ kind: 'request-too-long', longest });
  return ok({ ...settled, seconds });
}

/** Makes requests for an approval: ahead of time, or by a vend that needs one. */
export function createRequestApproval(dependencies: Dependencies) {
  const { clock, store, ask, revocations, documentsOf, records } = dependencies;

  /** The request that is to be extended, if it is the caller's, for this profile, and in force. */
  async function findExtended(
    { requester, documents, keys, profile, now }: Extending,
    id: string,
  ): Promise<AccessRequest | undefined> {
    const row = await store.read(id, keys);
    if (row?.genuine !== true) return undefined;
    const { request } = row;
    const isOwn = request.requester.subject === requester.subject && request.profile === profile;
    const { phase } = toShownRequest(request, documents, revocations, now);
    return isOwn && phase === 'active' ? request : undefined;
  }

  /** How long the request is to last, how its time begins, and what it extends. */
  async function settle(
    about: Extending,
    { extends: id, seconds }: ApprovalWish,
    rule: ApprovalRule,
  ): Promise<Result<Settled, ApprovalRefusal>> {
    const { profile } = about;
    if (id === undefined) {
      const longest = rule.max_duration ?? MAX_WINDOW_SECONDS;
      const plain = { start: rule.start ?? 'approval', chain: undefined, root: undefined } as const;
      return withSeconds(plain, seconds, longest);
    }
    const extended = await findExtended(about, id);
    if (extended === undefined) return refuse({ kind: 'request-field', field: 'extends', profile });
    const extension = toExtension(extended, rule);
    if (!extension.ok) return refuse({ kind: 'request-field', field: extension.refusal, profile });
    const { chain, longest } = extension.value;
    return withSeconds({ start: 'approval', chain, root: extended.root }, seconds, longest);
  }

  /**
   * Makes the request, or finds the pending one that asks for the same, once it is clear that it
   * may be made.
   */
  async function make(
    { caller, snapshot }: Pick<Operator, 'caller' | 'snapshot'>,
    wish: ApprovalWish,
    rule: ApprovalRule,
    now: number,
  ): Promise<Result<Asked, ApprovalRefusal | UnavailableRefusal>> {
    const { sealingKeys: keys } = snapshot;
    const sealing = activeSealingKey(keys, now);
    if (sealing === undefined) return refuse(unavailable('sealing_key'));
    const documents = documentsOf(snapshot);
    if (documents.people === undefined) return refuse(unavailable('people'));
    const requester = documents.toParty(caller, now);
    const { profile, ticket, origin, extends: extended } = wish;
    const settled = await settle({ requester, documents, keys, profile, now }, wish, rule);
    if (!settled.ok) return settled;
    const justification = wish.justification ?? BY_A_VEND;
    const asked = { requester, profile, justification, ticket, origin, extends: extended };
    return ask({
      wish: { ...asked, ...settled.value, seen: revocations.top() },
      rule,
      documents,
      keys,
      sealing,
      now,
    });
  }

  /**
   * Finds the rule that a caller's request for a profile falls under; refuses where there is
   * nothing to approve.
   */
  function findRule({ caller, snapshot }: Operator, wish: ApprovalWish, now: number) {
    const documents = documentsOf(snapshot);
    const requester = documents.toParty(caller, now);
    const decision = documents.decisionFor(requester, wish.profile, now);
    const { profile } = wish;
    if (!snapshot.profiles.has(profile) || decision.effect === 'deny') {
      return refuse<OperationRefusal>(denied(decision, caller, profile));
    }
    if (decision.effect !== 'require_approval')
      return refuse<OperationRefusal>({ kind: 'no-approval-needed', profile });
    const rule = documents.ruleFor(requester, profile);
    return rule === undefined
      ? refuse<OperationRefusal>({ kind: 'no-approval-rule', profile })
      : ok(rule);
  }

  async function conclude(
    by: KnownRequest,
    snapshot: Snapshot,
    { request, outcome }: Asked,
    now: number,
  ) {
    const shown = toShownRequest(request, documentsOf(snapshot), revocations, now);
    const requested: RequestedApproval = { shown, created: outcome === 'created' };
    // What was there before has its record already.
    if (outcome === 'found') return ok(requested);
    return records.conclude(by, { action: 'requested' }, request, requested);
  }

  /** Asks for an approval ahead of time. */
  async function requestApproval(
    operator: Operator,
    wish: ApprovalWish,
  ): Promise<Result<RequestedApproval, OperationRefusal>> {
    const now = clock();
    const tried = toTried(wish);
    const rule = findRule(operator, wish, now);
    if (!rule.ok) return records.deny(operator, tried, rule.refusal);
    const field = fieldProblem(rule.value, wish);
    if (field !== undefined) {
      return records.deny(operator, tried, { kind: 'request-field', field, profile: wish.profile });
    }
    const reserved = await records.reserve(operator, tried);
    if (!reserved.ok) return reserved;
    try {
      const asked = await make(operator, wish, rule.value, now);
      if (!asked.ok) return await records.deny(operator, tried, asked.refusal);
      return await conclude(operator, operator.snapshot, asked.value, now);
    } catch (error) {
      return records.fail(operator, tried, error);
    }
  }

  /**
   * Asks for an approval as a vend that needs one does; the claim of the vend was reserved. Rejects
   * where a table cannot be read or written.
   */
  async function requestForVend(
    by: Pick<Operator, 'caller' | 'snapshot'> & KnownRequest,
    wish: ApprovalWish,
    rule: ApprovalRule,
    now: number,
  ): Promise<Result<RequestedApproval, ApprovalRefusal | UnavailableRefusal>> {
    const asked = await make(by, wish, rule, now);
    return asked.ok ? conclude(by, by.snapshot, asked.value, now) : asked;
  }

  return { requestApproval, requestForVend };
}
