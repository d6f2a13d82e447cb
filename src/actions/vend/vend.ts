import type { AuditLog } from '../../audit/log.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { SECOND, type Clock } from '../../lib/clock.ts';
import { refuse, type Result } from '../../lib/result.ts';
import type { SealingKeys } from '../../lib/sealing.ts';
import { reserveClaim, type ReplayGuard, type Reservation } from '../../replay/guard.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { LabelsFull } from '../../sessions/label-places.ts';
import type { SessionTracker, Tracked } from '../../sessions/tracker.ts';
import { toGuardRefusal, unavailable, type VendRefusal } from '../refusal.ts';
import { toRevokedRefusal } from '../revoked.ts';
import type { AssumeRole, AssumeRoleFault } from './assume-role.ts';
import type { FoundGrant, Grants } from '../approvals/find-grant.ts';
import type { VendApprovals } from '../approvals/for-vend.ts';
import { gather, type Facts } from './gather.ts';
import { toNetwork, toPlan, toStamp, toVended, type Grant, type Stamp, type Vended, type VendRequest } from './plan.ts';
import { createVendEnds, describeIssued, describePlan, describeStamp, type Failure } from './record.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly guard: ReplayGuard;
  readonly revocations: Pick<Revocations, 'ofVend' | 'isUsable' | 'inGrace'>;
  readonly sessions: Pick<SessionTracker, 'use'>;
  readonly assumeRole: AssumeRole;
  /** The approvals that vends rest on, and what a vend is told that lacks one. */
  readonly grants: Grants;
  readonly approvals: VendApprovals;
  readonly audit: AuditLog;
  readonly onFault: (error: unknown) => void;
};

export type Vend = (request: VendRequest, snapshot: Snapshot) => Promise<Result<Vended, VendRefusal | ApprovalRefusal>>;

function denied(refusal: Failure['refusal'], more: Partial<Failure> = {}): Failure {
  return { ...more, refusal, outcome: 'denied' };
}

function failed(refusal: Failure['refusal'], more: Partial<Failure> = {}): Failure {
  return { ...more, refusal, outcome: 'failed' };
}

/**
 * Vends credentials. Each outcome leaves one record; credentials that were revoked while they were
 * made, or whose record could not be written, are discarded.
 */
export function createVend(dependencies: Dependencies): Vend {
  const { clock, guard, revocations, sessions, assumeRole, audit } = dependencies;

  async function reserve({ replay }: VendRequest, begun: number): Promise<Result<Reservation, Failure>> {
    const hold = await reserveClaim(guard, replay, begun);
    if (hold.ok) return hold;
    const refusal = toGuardRefusal(hold.refusal);
    return refuse(hold.refusal === 'replayed' ? denied(refusal) : failed(refusal));
  }

  async function openSession(
    { caller, profile, label = '' }: VendRequest,
    { requiresSession: required }: Grant,
    { sourceIdentity }: Stamp,
    sealingKeys: SealingKeys,
  ): Promise<Result<Tracked, Failure>> {
    const { subject, principal, storedName: user, account } = caller;
    const key = { subject, principal, user, account, profile, label };
    const session = await sessions.use({ key, sourceIdentity, required }, sealingKeys);
    if (session.ok) return session;
    return refuse(
      session.refusal.kind === 'unavailable'
        ? failed(unavailable('required_session'))
        : denied(toLabelsRefusal(session.refusal, profile, clock())),
    );
  }

  /** STS has made the credentials, so an incident must find them in the record, though nobody gets them. */
  function lookAgain({ caller, profile }: VendRequest, vended: Vended): Failure | undefined {
    const revoked = revocations.ofVend(caller, profile);
    if (revoked !== undefined) return denied(toRevokedRefusal(revoked, caller, profile), describeIssued(vended));
    return revocations.isUsable() ? undefined : failed(unavailable('revocations'), describeIssued(vended));
  }

  async function vend(request: VendRequest, snapshot: Snapshot): Promise<Result<Vended, VendRefusal>> {
    const begun = clock();
    // Gather what decides: policy by this snapshot, and the revocations as they are known here.
    const facts = gather(request, snapshot, revocations, begun);
    const { end, letGo } = createVendEnds({ audit, request, facts, inGrace: revocations.inGrace });
    if (!facts.grant.ok) return end(denied(facts.grant.refusal), {});
    const grant = facts.grant.value;
    // Draw the marks of this vend; every record from here on names them.
    const stamp = toStamp(request.caller);
    const marks = describeStamp(stamp);
    // Refuse what is revoked, and whom the credentials cannot be bound to.
    const stopped = facts.revoked;
    const { caller, profile } = request;
    if (stopped !== undefined) return end(denied(toRevokedRefusal(stopped, caller, profile)), marks);
    const network = toNetwork(request, grant);
    if (!network.ok) return end(denied(network.refusal), marks);
    // Use the request up: one of its copies vends.
    const hold = await reserve(request, begun);
    if (!hold.ok) return end(hold.refusal, marks);
    // Open the session, or go on with it.
    const session = await openSession(request, grant, stamp, snapshot.sealingKeys);
    if (!session.ok) {
      await hold.value.release();
      return end(session.refusal, marks);
    }
    // Settle everything that AssumeRole is asked for.
    const plan = toPlan(request, { grant, stamp, network: network.value, session: session.value, begun });
    // Assume the role. Where certainly nothing came of it, the same request may be sent again.
    const assumed = await assumeRole(plan.input);
    if (!assumed.ok) {
      if (assumed.refusal.certainlyNone) await hold.value.release();
      return end(toUpstreamFailure(assumed.refusal, profile), describePlan(plan));
    }
    // Refuse what was revoked while STS was asked.
    const vended = toVended(assumed.value, plan);
    const late = lookAgain(request, vended);
    if (late !== undefined) return end(late, describePlan(plan));
    // Let the credentials go once their record is written.
    return letGo(vended, describePlan(plan));
  }

  return vend;
}

/** Too many labels; `now` in epoch milliseconds. */
function toLabelsRefusal({ most, until }: LabelsFull, profile: string, now: number): VendRefusal {
  const retryAfterSeconds = Math.max(1, Math.ceil((until - now) / SECOND));
  return { kind: 'labels-full', profile, most, until, retryAfterSeconds };
}

function toUpstreamFailure({ kind, code }: AssumeRoleFault, profile: string): Failure {
  return failed(toUpstreamRefusal(kind, profile), { upstream_code: code });
}

function toUpstreamRefusal(kind: AssumeRoleFault['kind'], profile: string): VendRefusal {
  switch (kind) {
    case 'throttled':
      return { kind: 'upstream-throttled' };
    case 'misconfigured':
      return { kind: 'misconfigured', profile };
    case 'unavailable':
      return unavailable('sts');
  }
}
