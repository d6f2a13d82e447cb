import type { Snapshot } from '../../catalog/snapshot.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { activeSealingKey } from '../../lib/sealing.ts';
import type { Grants } from '../approvals/find-grant.ts';
import type { LiveEvents } from '../break-glass/find-event.ts';
import { unavailable } from '../refusal.ts';
import { failed, outageOf } from './failures.ts';
import type { Basis, Grant } from './plan.ts';
import type { Failure } from './record.ts';

type Dependencies = {
  readonly grants: Pick<Grants, 'start'>;
  readonly events: Pick<LiveEvents, 'begin'>;
  readonly onFault: (error: unknown) => void;
};

/** Makes what writes down that a vend uses what it rests on, before STS is asked. */
export function createStartGrant({ grants, events, onFault }: Dependencies) {
  /**
   * Starts an approval whose time begins with its first use, and notes that a break-glass event is
   * used.
   */
  async function startGrant(
    grant: Grant,
    snapshot: Snapshot,
    begun: number,
  ): Promise<Result<Grant, Failure>> {
    const { basis } = grant;
    if (basis === undefined) return ok(grant);
    try {
      if (basis.kind === 'approval')
        return await startApproval({ ...grant, basis }, snapshot, begun);
      await events.begin(basis);
      return ok(grant);
    } catch (error) {
      onFault(error);
      return refuse(failed(outageOf(basis)));
    }
  }

  async function startApproval(
    grant: Grant & { readonly basis: Extract<Basis, { readonly kind: 'approval' }> },
    snapshot: Snapshot,
    begun: number,
  ): Promise<Result<Grant, Failure>> {
    if (grant.basis.grant.startsAt !== undefined) return ok(grant);
    const sealing = activeSealingKey(snapshot.sealingKeys, begun);
    if (sealing === undefined) return refuse(failed(unavailable('sealing_key')));
    const started = await grants.start(grant.basis, snapshot, sealing, begun);
    if (started === undefined) return refuse(failed(unavailable('approvals')));
    return ok({ ...grant, basis: { kind: 'approval', ...started } });
  }

  return startGrant;
}
