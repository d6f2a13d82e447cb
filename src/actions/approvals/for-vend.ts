import { differencesOf } from '../../approvals/digest.ts';
import type { AccessRequest } from '../../approvals/request.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Revocations } from '../../revocations/feed.ts';
import { unavailable, type UnavailableRefusal } from '../refusal.ts';
import type { Unapproved } from '../vend/gather.ts';
import type { VendRequest } from '../vend/plan.ts';
import type { Documents } from './documents.ts';
import type { ApprovalRefusal, ApprovalRequired, Blocked } from './refusal.ts';
import { fieldProblem, type ApprovalWish, type createRequestApproval } from './request-approval.ts';
import { toShownRequest, type ShownRequest } from './shown-request.ts';

type Dependencies = Pick<ReturnType<typeof createRequestApproval>, 'requestForVend'> & {
  readonly revocations: Pick<Revocations, 'ofGrant' | 'wasRevokedAfter'>;
  readonly documentsOf: (snapshot: Snapshot) => Documents;
  /** Where the state of a request is to be seen, built on SENTINEL_PUBLIC_URL. */
  readonly statusUrlOf: (id: string) => string;
  readonly onFault: (error: unknown) => void;
};

/** What a vend without the approval that it needs comes to. */
export type RequiredRefusal = ApprovalRequired | ApprovalRefusal | UnavailableRefusal;

/** A vend that needs an approval. */
type Unvended = {
  readonly request: VendRequest;
  readonly snapshot: Snapshot;
  readonly unapproved: Unapproved;
  /** Epoch milliseconds. */
  readonly now: number;
};

function require(vend: Unvended, next: ApprovalRequired['next']): ApprovalRequired {
  const { profile } = vend.request;
  return { kind: 'approval-required', profile, reason: vend.unapproved.reason, next };
}

/**
 * Tells a vend that needs an approval what to do, and makes the request for one where there is
 * none.
 */
export function createVendApprovals(dependencies: Dependencies) {
  const { requestForVend, revocations, documentsOf, statusUrlOf, onFault } = dependencies;

  function toBlocked({ unapproved, snapshot, now }: Unvended): Blocked | undefined {
    const { blocked } = unapproved.found;
    if (blocked === undefined) return undefined;
    const { request, why } = blocked;
    const shown = documentsOf(snapshot).shownFor(request.id, request, now);
    const changed =
      why === 'stale' && shown !== undefined ? differencesOf(request.shown, shown) : [];
    return { id: request.id, why, changed };
  }

  function show({ snapshot, now }: Unvended, request: AccessRequest): ShownRequest {
    return toShownRequest(request, documentsOf(snapshot), revocations, now);
  }

  function requested(vend: Unvended, { request, status, needs }: ShownRequest): ApprovalRequired {
    const { id } = request;
    const isApproved = status === 'approved';
    const statusUrl = statusUrlOf(id);
    return require(vend, {
      kind: 'requested',
      id,
      isApproved,
      statusUrl,
      needs,
      blocked: toBlocked(vend),
    });
  }

  /** What the vend asks for, or what it cannot ask for by itself. */
  function toWish(vend: Unvended) {
    const { caller, profile, justification, ticket } = vend.request;
    const documents = documentsOf(vend.snapshot);
    const rule = documents.ruleFor(documents.toParty(caller, vend.now), profile);
    const wish: ApprovalWish = {
      profile,
      seconds: undefined,
      justification,
      ticket,
      extends: undefined,
      origin: 'vend',
    };
    return { rule, wish, field: rule === undefined ? undefined : fieldProblem(rule, wish) };
  }

  /** What the caller can do without a request being made; undefined where one is to be made. */
  function answerWithout(vend: Unvended): ApprovalRequired | undefined {
    const { pending } = vend.unapproved.found;
    if (pending !== undefined) return requested(vend, show(vend, pending));
    const { rule, field } = toWish(vend);
    if (rule === undefined) return require(vend, { kind: 'nobody' });
    return field === undefined ? undefined : require(vend, { kind: 'ask', field });
  }

  /**
   * Makes the request, or finds the one that was made at the same moment. The vend's claim must be
   * reserved.
   */
  async function makeRequest(vend: Unvended): Promise<RequiredRefusal> {
    const { rule, wish } = toWish(vend);
    if (rule === undefined) return require(vend, { kind: 'nobody' });
    const { request, snapshot, now } = vend;
    try {
      const made = await requestForVend({ ...request, snapshot }, wish, rule, now);
      if (made.ok) return requested(vend, made.value.shown);
      return made.refusal;
    } catch (error) {
      onFault(error);
      return unavailable('approvals');
    }
  }

  return { answerWithout, makeRequest };
}

export type VendApprovals = ReturnType<typeof createVendApprovals>;
