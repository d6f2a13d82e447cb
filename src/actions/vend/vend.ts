import type { AuditLog } from '../../audit/log.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { SECOND, type Clock } from '../../lib/clock.ts';
import { ok, refuse, type Refused, type Result } from '../../lib/result.ts';
import { activeSealingKey, type SealingKeys } from '../../lib/sealing.ts';
import { reserveClaim, type ReplayGuard, type Reservation } from '../../replay/guard.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { LabelsFull } from '../../sessions/label-places.ts';
import type { SessionTracker, Tracked } from '../../sessions/tracker.ts';
import { toGuardRefusal, unavailable, type VendRefusal } from '../refusal.ts';
import { toRevokedRefusal } from '../revoked.ts';
import type { AssumeRole, AssumeRoleFault } from './assume-role.ts';
import type { Grants } from '../approvals/find-grant.ts';
import type { ApprovalRefusal } from '../approvals/refusal.ts';
import type { VendApprovals } from '../approvals/for-vend.ts';
import { gather, type Facts } from './gather.ts';
import {
  toNetwork,
  toPlan,
  toStamp,
  toVended,
  type Grant,
  type Stamp,
  type Vended,
  type VendRequest,
} from './plan.ts';
import {
  createVendEnds,
  describeIssued,
  describePlan,
  describeStamp,
  type Failure,
} from './record.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly guard: ReplayGuard;
  readonly revocations: Pick<Revocations, 'ofVend' | 'ofGrant' | 'isUsable' | 'inGrace'>;
  readonly sessions: Pick<SessionTracker, 'use'>;
  readonly assumeRole: AssumeRole;
  /** The approvals that vends rest on, and what a vend is told that lacks one. */
  readonly grants: Grants;
  readonly approvals: VendApprovals;
  readonly audit: AuditLog;
  readonly onFault: (error: unknown) => void;
};

export type Vend = (
  request: VendRequest,
  snapshot: Snapshot,
) => Promise<Result<Vended, VendRefusal | ApprovalRefusal>>;

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
  const { clock, guard, revocations, sessions, assumeRole, grants, approvals, audit, onFault } =
    dependencies;

  async function reserve(
    { replay }: VendRequest,
    begun: number,
  ): Promise<Result<Reservation, Failure>> {
    const hold = await reserveClaim(guard, replay, begun);
    if (hold.ok) return hold;
    const refusal = toGuardRefusal(hold.refusal);
    return refuse(hold.refusal === 'replayed' ? denied(refusal) : failed(refusal));
  }

  /**
   * Why a vend has no leave; one that needs an approval makes the request for it where there is
   * none.
   */
  async function whyNot(
    request: VendRequest,
    snapshot: Snapshot,
    { grant, revoked }: Facts & { readonly grant: Refused<unknown> },
    begun: number,
  ): Promise<Failure> {
    const { refusal } = grant;
    if (refusal.kind === 'denied') return denied(refusal);
    if (revoked !== undefined)
      return denied(toRevokedRefusal(revoked, request.caller, request.profile));
    if (refusal.kind === 'unavailable') return failed(refusal);
    const unvended = { request, snapshot, unapproved: refusal, now: begun };
    const known = approvals.answerWithout(unvended);
    if (known !== undefined) return denied(known);
    // Making a request is a change: use the HTTP request up first.
    const hold = await reserve(request, begun);
    if (!hold.ok) return hold.refusal;
    const made = await approvals.makeRequest(unvended);
    return made.kind === 'unavailable' ? failed(made) : denied(made);
  }

  /** Starts an approval whose time begins with its first use. */
  async function startGrant(
    grant: Grant,
    snapshot: Snapshot,
    begun: number,
  ): Promise<Result<Grant, Failure>> {
    const sealing = activeSealingKey(snapshot.sealingKeys, begun);
    if (grant.approval === undefined || grant.approval.grant.startsAt !== undefined)
      return ok(grant);
    if (sealing === undefined) return refuse(failed(unavailable('sealing_key')));
    try {
      const approval = await grants.start(grant.approval, snapshot, sealing, begun);
      return approval === undefined
        ? refuse(failed(unavailable('approvals')))
        : ok({ ...grant, approval });
    } catch (error) {
      onFault(error);
      return refuse(failed(unavailable('approvals')));
    }
  }

  async function openSession(
    { caller, profile, label = '' }: VendRequest,
    { requiresSession: required, approval }: Grant,
    { sourceIdentity }: Stamp,
    sealingKeys: SealingKeys,
  ): Promise<Result<Tracked, Failure>> {
    const { subject, principal, storedName: user, account } = caller;
    const key = {
      subject,
      principal,
      user,
      account,
      profile,
      label,
      grant: approval?.request.id ?? '',
    };
    const endsBy = approval?.grant.endsAt;
    const session = await sessions.use({ key, sourceIdentity, required, endsBy }, sealingKeys);
    if (session.ok) return session;
    return refuse(
      session.refusal.kind === 'unavailable'
        ? failed(unavailable('required_session'))
        : denied(toLabelsRefusal(session.refusal, profile, clock())),
    );
  }

  /**
   * STS has made the credentials, so an incident must find them in the record, though nobody gets
   * them.
   */
  function lookAgain(
    { caller, profile }: VendRequest,
    { approval }: Grant,
    vended: Vended,
  ): Failure | undefined {
    const ended = approval === undefined ? undefined : revocations.ofGrant(approval.request.id);
    const revoked = revocations.ofVend(caller, profile) ?? ended;
    if (revoked !== undefined)
      return denied(toRevokedRefusal(revoked, caller, profile), describeIssued(vended));
    return revocations.isUsable()
      ? undefined
      : failed(unavailable('revocations'), describeIssued(vended));
  }

  async function vend(request: VendRequest, snapshot: Snapshot): ReturnType<Vend> {
    const begun = clock();
    // Gather what decides: policy by this snapshot, revocations as they are known here, the
    // approval if one is needed.
    const facts = await gather(request, snapshot, { revocations, grants, onFault }, begun);
    const { end, letGo } = createVendEnds({
      audit,
      request,
      facts,
      catalogVersion: snapshot.version,
      inGrace: revocations.inGrace,
    });
    if (!facts.grant.ok)
      return end(await whyNot(request, snapshot, { ...facts, grant: facts.grant }, begun), {});
    // Draw the marks of this vend; every record from here on names them.
    const leave = facts.grant.value;
    const stamp = toStamp(request.caller, leave.approval);
    const marks = describeStamp(stamp);
    // Refuse what is revoked, and whom the credentials cannot be bound to.
    const stopped = facts.revoked;
    const { caller, profile } = request;
    if (stopped !== undefined)
      return end(denied(toRevokedRefusal(stopped, caller, profile)), marks);
    const network = toNetwork(request, leave);
    if (!network.ok) return end(denied(network.refusal), marks);
    // Use the request up: one of its copies vends.
    const hold = await reserve(request, begun);
    if (!hold.ok) return end(hold.refusal, marks);
    // Start the approval, if its time begins now; then open the session, or go on with it.
    const granted = await startGrant(leave, snapshot, begun);
    if (!granted.ok) return end(granted.refusal, marks);
    const grant = granted.value;
    const session = await openSession(request, grant, stamp, snapshot.sealingKeys);
    if (!session.ok) {
      await hold.value.release();
      return end(session.refusal, marks);
    }
    // Settle everything that AssumeRole is asked for.
    const plan = toPlan(request, {
      grant,
      stamp,
      network: network.value,
      session: session.value,
      begun,
    });
    // Assume the role. Where certainly nothing came of it, the same request may be sent again.
    const assumed = await assumeRole(plan.input);
    if (!assumed.ok) {
      if (assumed.refusal.certainlyNone) await hold.value.release();
      return end(toUpstreamFailure(assumed.refusal, profile), describePlan(plan));
    }
    // Refuse what was revoked or ended while STS was asked.
    const vended = toVended(assumed.value, plan);
    const late = lookAgain(request, grant, vended);
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
