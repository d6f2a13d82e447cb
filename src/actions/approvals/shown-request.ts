import { differencesOf, toDigest } from '../../approvals/digest.ts';
import { isLive, statusAt, type AccessRequest } from '../../approvals/request.ts';
import type { Need } from './refusal.ts';
import { tally } from './tally.ts';
import type { Documents } from './documents.ts';

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
};

function phaseOf(
  request: AccessRequest,
  isOver: boolean,
  changed: readonly string[],
  now: number,
): Phase {
  const { grant } = request;
  if (request.status === 'approved' && grant !== undefined) {
    if (isOver || !isLive(grant, now)) return 'ended';
    return changed.length > 0 ? 'stale' : 'active';
  }
  return statusAt(request, now) === 'pending' && !isOver ? 'waiting' : 'ended';
}

/**
 * Shows a request as it is at a moment.
 *
 * @param isOver whether the log of revocations says that it has ended
 */
export function toShownRequest(
  request: AccessRequest,
  documents: Documents,
  isOver: boolean,
  now: number,
): ShownRequest {
  const current = documents.shownFor(request.id, request, now) ?? '{}';
  const isPending = statusAt(request, now) === 'pending';
  const shown = isPending ? current : request.shown;
  const digest = toDigest(shown);
  const counting = documents.countingFor(request, now);
  const needs = counting === undefined || !isPending ? [] : tally(request, digest, counting).needs;
  const changed = differencesOf(request.shown, current);
  const phase = phaseOf(request, isOver, changed, now);
  return {
    request,
    status: statusAt(request, now),
    phase: documents.people === undefined && phase === 'active' ? 'suspended' : phase,
    needs: needs.map(({ group, have, need, from }) => ({ group, have, need, eligible: from })),
    digest: request.grant?.digest ?? digest,
    shown,
    changed,
  };
}
