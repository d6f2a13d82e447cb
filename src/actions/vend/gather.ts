import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Result } from '../../lib/result.ts';
import type { Decision } from '../../policy/evaluate.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { Block } from '../../revocations/revocation.ts';
import type { VendRefusal } from '../refusal.ts';
import { decide, type Grant } from './decide.ts';
import type { VendRequest } from './plan.ts';

/** What one vend is decided by. */
export type Facts = {
  /** What policy says, for the record. */
  readonly decision: Decision;
  /** Leave to vend, or why there is none. */
  readonly grant: Result<Grant, VendRefusal>;
  /** The revocation that stops this vend, as far as this instance knows. */
  readonly revoked: Block | undefined;
};

/**
 * Gathers what a vend is decided by, as it is at this moment: policy by the snapshot, and the
 * revocations in memory. Whatever else may give leave to vend, such as an approval, is added here.
 *
 * @param now epoch milliseconds
 */
export function gather(
  { caller, profile }: VendRequest,
  snapshot: Snapshot,
  revocations: Pick<Revocations, 'ofVend'>,
  now: number,
): Facts {
  const { decision, outcome } = decide(snapshot, caller, profile, now);
  return { decision, grant: outcome, revoked: revocations.ofVend(caller, profile) };
}
