import { differencesOf, toDigest } from '../../approvals/digest.ts';
import { statusAt, type AccessRequest } from '../../approvals/request.ts';
import type { Revocations } from '../../revocations/feed.ts';
import { credentialsEndOf } from '../credentials-end.ts';
import { checkGrant, type GrantProblem } from './check-grant.ts';
import type { Need } from './refusal.ts';
import { withStanding } from './standing.ts';
import { tally } from './tally.ts';
import type { Documents } from './documents.ts';

type Known = Pick<Revocations, 'ofGrant' | 'wasRevokedAfter'>;

/** Where a request is, beyond the status in its row. */
export type Phase = 'waiting' | 'active' | 'ended' | 'stale' | 'suspended';

/** A request as it is shown: with what an approval of it would allow at this moment. */
export type ShownRequest = {
  readonly request: AccessRequest;
  readonly status: AccessRequest['status'];
  readonly phase: Phase;
  readonly needs: readonly Need[];
  /** The digest of what would be approved, or of what was. */
  readonly digest: string;
  /** The canonical JSON of it. */
  readonly shown: string;
  /** What has changed since it was approved, or since it was last written. */
  readonly changed: readonly string[];
  /**
   * Until when credentials from before it was ended may still work, epoch milliseconds; undefined
   * where there are none.
   */
  readonly credentialsEnd: number | undefined;
};

/** The phases of grants that do not vend; what does not vend for a while only is suspended. */
const PHASE_OF: Readonly<Record<GrantProblem, Phase>> = {
  'not-approved': 'ended',
  ended: 'ended',
  'another-requester': 'ended',
  revoked: 'ended',
  stale: 'stale',
  quorum: 'suspended',
  suspended: 'suspended',
  clock: 'suspended',
};

/** Where an approved request is: what a vend of its requester would be told now. */
function phaseOfGrant(
  request: AccessRequest,
  documents: Documents,
  revocations: Known,
  now: number,
): Phase {
  const { requester } = request;
  const checked = checkGrant(request, {
    now,
    requester,
    shown: documents.shownFor(request.id, request, now),
    counting: documents.countingFor(request, now),
    requesterName: documents.toApprover(requester).name,
    isGrantRevoked: (id) => revocations.ofGrant(id) !== undefined,
    wasRevokedAfter: (party, n) => revocations.wasRevokedAfter(documents.toSubject(party), n),
  });
  if (!checked.ok) return PHASE_OF[checked.refusal];
  return documents.isStill(requester, now) ? 'active' : 'suspended';
}

/**
 * Until when credentials from before a request was ended may still work. What was never approved,
 * or waited for its first use, vended none.
 */
function credentialsEnd(
  { grant, ended, profile }: AccessRequest,
  documents: Documents,
  now: number,
): number | undefined {
  if (grant?.endsAt === undefined || ended === undefined) return undefined;
  const isHard = documents.hasHardRevoke(profile);
  return credentialsEndOf({ endedAt: ended.at, end: grant.endsAt, isHard }, now);
}

/** Shows a request as it is at a moment, by documents and revocations as they are known. */
export function toShownRequest(
  stored: AccessRequest,
  documents: Documents,
  revocations: Known,
  now: number,
): ShownRequest {
  const request = withStanding(stored, documents, revocations, now);
  const isOver = revocations.ofGrant(request.id) !== undefined;
  const current = documents.shownFor(request.id, request, now) ?? '{}';
  const isPending = statusAt(request, now) === 'pending';
  const shown = isPending ? current : request.shown;
  const digest = toDigest(shown);
  const counting = documents.countingFor(request, now);
  const needs = counting === undefined || !isPending ? [] : tally(request, digest, counting).needs;
  const changed = differencesOf(request.shown, current);

  function phaseOf(): Phase {
    if (request.status === 'approved') return phaseOfGrant(request, documents, revocations, now);
    return isPending && !isOver ? 'waiting' : 'ended';
  }

  return {
    request,
    status: statusAt(request, now),
    phase: phaseOf(),
    needs: needs.map(({ group, have, need, from }) => ({ group, have, need, eligible: from })),
    digest: request.grant?.digest ?? digest,
    shown,
    changed,
    credentialsEnd: credentialsEnd(request, documents, now),
  };
}
