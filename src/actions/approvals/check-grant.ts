import { toDigest } from '../../approvals/digest.ts';
import { isLive, type AccessRequest, type Grant, type Party } from '../../approvals/request.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { isAutoApproved } from '../../policy/approval/rule.ts';
import { tally, type CountingFacts } from './tally.ts';

/**
 * Why a grant does not vend. `ended` is for good; what is `stale` or `suspended` may be so for a
 * while.
 */
export type GrantProblem =
  | 'not-approved'
  | 'ended'
  | 'another-requester'
  | 'revoked'
  | 'stale'
  | 'quorum'
  | 'suspended'
  | 'clock';

/** What a grant is checked against at each vend. */
export type GrantFacts = {
  /** Epoch milliseconds. */
  readonly now: number;
  /** Who asks now. */
  readonly requester: Party;
  /**
   * What an approval of this request would allow now: see `toShown`; undefined where the profile is
   * gone.
   */
  readonly shown: string | undefined;
  /** What reviews are counted by; undefined where no rule is for this request any more. */
  readonly counting: CountingFacts | undefined;
  /** The requester as rules name them, for a grant that the rule gave by itself. */
  readonly requesterName: string;
  /** Whether a revocation of the grant itself stands in the log. */
  readonly isGrantRevoked: (id: string) => boolean;
  /** Whether this party was revoked behind a number of the log, even if that was lifted. */
  readonly wasRevokedAfter: (party: Party, n: number) => boolean;
};

/**
 * Checks whether an approved request vends now. Approved is approved, and never more: it vends to
 * whom it was given, exactly what was shown, while everybody who approved it still could.
 */
export function checkGrant(request: AccessRequest, facts: GrantFacts): Result<Grant, GrantProblem> {
  const { grant } = request;
  if (request.status !== 'approved' || grant === undefined) return refuse('not-approved');
  // Ended by time, or by somebody: a row that was put back revives nothing.
  const isRevoked = facts.isGrantRevoked(request.id) || facts.isGrantRevoked(request.root);
  if (!isLive(grant, facts.now) || isRevoked) return refuse('ended');
  if (!isSameParty(request.requester, facts.requester)) return refuse('another-requester');
  if (wasAnyRevoked(request, facts)) return refuse('revoked');
  // Exactly what was shown.
  if (facts.shown === undefined || toDigest(facts.shown) !== grant.digest) return refuse('stale');
  if (facts.counting === undefined) return refuse('quorum');
  const stillStands = grant.auto
    ? isAutoApprovedNow(request, facts, facts.counting)
    : tally(request, grant.digest, facts.counting).isMet;
  return stillStands ? ok(grant) : refuse('quorum');
}

/**
 * The same identity: another user or role of the same name, and a key with another secret, are
 * somebody else.
 */
function isSameParty(then: Party, now: Party): boolean {
  return then.subject === now.subject && then.name === now.name && then.uniqueId === now.uniqueId;
}

function wasAnyRevoked(request: AccessRequest, { wasRevokedAfter }: GrantFacts): boolean {
  if (wasRevokedAfter(request.requester, request.seen)) return true;
  return request.reviews.some(
    ({ reviewer, seen, verdict }) => verdict === 'approve' && wasRevokedAfter(reviewer, seen),
  );
}

/**
 * The users and the longest time of `auto_approve` must still allow it; its window of time was for
 * the approval.
 */
function isAutoApprovedNow(
  request: AccessRequest,
  facts: GrantFacts,
  { rule }: CountingFacts,
): boolean {
  const { seconds, ticket, extends: extended } = request;
  const auto = rule.auto_approve;
  if (auto === undefined) return false;
  const { time: _, ...lasting } = auto;
  const requester = { name: facts.requesterName, principal: facts.requester.principal };
  return isAutoApproved(
    { ...rule, auto_approve: lasting },
    { requester, seconds, ticket, extends: extended, now: facts.now },
  );
}
