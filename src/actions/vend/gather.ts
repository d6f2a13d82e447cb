import type { Snapshot } from '../../catalog/snapshot.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { Decision } from '../../policy/evaluate.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { Block } from '../../revocations/revocation.ts';
import type { Grants, NoGrant } from '../approvals/find-grant.ts';
import { unavailable, type DeniedRefusal, type UnavailableRefusal } from '../refusal.ts';
import { decide, type NeedsApproval } from './decide.ts';
import type { Grant, VendRequest } from './plan.ts';

/** Policy wants an approval, and there is none that vends. */
export type Unapproved = NeedsApproval & { readonly found: NoGrant };

/** What one vend is decided by. */
export type Facts = {
  /** What policy says, for the record. */
  readonly decision: Decision;
  /** Leave to vend, or why there is none. */
  readonly grant: Result<Grant, DeniedRefusal | UnavailableRefusal | Unapproved>;
  /** The revocation that stops this vend, as far as this instance knows. */
  readonly revoked: Block | undefined;
};

type Sources = {
  readonly revocations: Pick<Revocations, 'ofVend'>;
  readonly grants: Pick<Grants, 'findGrant'>;
  readonly onFault: (error: unknown) => void;
};

/**
 * Gathers what a vend is decided by, as it is at this moment: policy by the snapshot, the
 * revocations in memory, and, only where policy wants one, the approval in its table.
 *
 * @param now epoch milliseconds
 */
export async function gather(
  { caller, profile }: VendRequest,
  snapshot: Snapshot,
  { revocations, grants, onFault }: Sources,
  now: number,
): Promise<Facts> {
  const { decision, outcome } = decide(snapshot, caller, profile, now);
  const revoked = revocations.ofVend(caller, profile);
  if (outcome.ok)
    return { decision, grant: ok({ ...outcome.value, approval: undefined }), revoked };
  const { refusal } = outcome;
  // Nobody looks for an approval for the denied and the revoked.
  if (refusal.kind === 'denied' || revoked !== undefined) {
    const none: NoGrant = { pending: undefined, blocked: undefined };
    return {
      decision,
      grant: refuse(refusal.kind === 'denied' ? refusal : { ...refusal, found: none }),
      revoked,
    };
  }
  try {
    const found = await grants.findGrant(caller, profile, snapshot, now);
    const grant = found.ok
      ? ok({ ...refusal.leave, approval: found.value })
      : refuse({ ...refusal, found: found.refusal });
    return { decision, grant, revoked };
  } catch (error) {
    onFault(error);
    return { decision, grant: refuse(unavailable('approvals')), revoked };
  }
}
