import type { AuditLog } from '../../audit/log.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { Clock } from '../../lib/clock.ts';
import { ok, refuse, type Refused, type Result } from '../../lib/result.ts';
import type { SealingKeys } from '../../lib/sealing.ts';
import { reserveClaim, type ReplayGuard, type Reservation } from '../../replay/guard.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { SessionTracker, Tracked } from '../../sessions/tracker.ts';
import { toGuardRefusal, unavailable, type VendRefusal } from '../refusal.ts';
import { toRevokedRefusal } from '../revoked.ts';
import type { AssumeRole } from './assume-role.ts';
import type { Grants } from '../approvals/find-grant.ts';
import type { ApprovalRefusal } from '../approvals/refusal.ts';
import type { VendApprovals } from '../approvals/for-vend.ts';
import type { LiveEvents } from '../break-glass/find-event.ts';
import { createStartGrant } from './start-grant.ts';
import { denied, failed, outageOf, toLabelsRefusal, toUpstreamFailure } from './failures.ts';
import { gather, type Facts } from './gather.ts';
import {
  basisEnd,
  basisId,
  basisRoot,
  toNetwork,
  toPlan,
  toStamp,
  toVended,
  type Grant,
  type Plan,
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
  /** The break-glass events that vends rest on. */
  readonly events: LiveEvents;
  readonly audit: AuditLog;
  readonly onFault: (error: unknown) => void;
};

/** A vend that is under way: what it rests on, its marks, and the hold on its request. */
type Started = { readonly grant: Grant; readonly stamp: Stamp; readonly hold: Reservation };

export type Vend = (
  request: VendRequest,
  snapshot: Snapshot,
) => Promise<Result<Vended, VendRefusal | ApprovalRefusal>>;

/**
 * Vends credentials. Each outcome leaves one record; credentials that were revoked while they were
 * made, or whose record could not be written, are discarded.
 */
export function createVend(dependencies: Dependencies): Vend {
  const {
    clock,
    guard,
    revocations,
    sessions,
    assumeRole,
    grants,
    approvals,
    events,
    audit,
    onFault,
  } = dependencies;
  const startGrant = createStartGrant({ grants, events, onFault });

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

  /** Opens the session or goes on with it. Without it nothing was vended: the hold is released. */
  async function openSession(
    { caller, profile, label = '' }: VendRequest,
    { grant: { requiresSession: required, basis }, stamp: { sourceIdentity }, hold }: Started,
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
      grant: basis === undefined ? '' : basisId(basis),
    };
    // Of an event that waits for its second person, the session ends with that wait; another one
    // follows it.
    const endsBy = basis && basisEnd(basis);
    const session = await sessions.use({ key, sourceIdentity, required, endsBy }, sealingKeys);
    if (session.ok) return session;
    const failure =
      session.refusal.kind === 'unavailable'
        ? failed(unavailable('required_session'))
        : denied(toLabelsRefusal(session.refusal, profile, clock()));
    await hold.release();
    return refuse(failure);
  }

  /**
   * STS has made the credentials, so an incident must find them in the record, though nobody gets
   * them.
   */
  function lookAgain(
    { caller, profile }: VendRequest,
    { basis }: Grant,
    vended: Vended,
  ): Failure | undefined {
    const { ofGrant } = revocations;
    const ended = basis && (ofGrant(basisId(basis)) ?? ofGrant(basisRoot(basis)));
    const revoked = revocations.ofVend(caller, profile) ?? ended;
    if (revoked !== undefined)
      return denied(toRevokedRefusal(revoked, caller, profile), describeIssued(vended));
    if (!revocations.isUsable()) return failed(unavailable('revocations'), describeIssued(vended));
    // What ended meanwhile vends no more, even if nobody ended it.
    const isOver = basis !== undefined && clock() >= (basisEnd(basis) ?? Infinity);
    return isOver ? failed(outageOf(basis), describeIssued(vended)) : undefined;
  }

  /**
   * Assumes the role, then refuses what was revoked or ended while STS was asked. Where certainly
   * nothing came of it, the hold is released, so the same request may be sent again.
   */
  async function assume(
    request: VendRequest,
    plan: Plan,
    { grant, hold }: Started,
  ): Promise<Result<Vended, Failure>> {
    const assumed = await assumeRole(plan.input);
    if (!assumed.ok) {
      if (assumed.refusal.certainlyNone) await hold.release();
      return refuse(toUpstreamFailure(assumed.refusal, request.profile));
    }
    const vended = toVended(assumed.value, plan);
    const late = lookAgain(request, grant, vended);
    return late === undefined ? ok(vended) : refuse(late);
  }

  async function vend(request: VendRequest, snapshot: Snapshot): ReturnType<Vend> {
    const begun = clock();
    // Gather what decides: policy by this snapshot, revocations as they are known here, what
    // else it needs.
    const facts = await gather(request, snapshot, { revocations, grants, events, onFault }, begun);
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
    const stamp = toStamp(request.caller, leave.basis);
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
    const started = { grant: granted.value, stamp, hold: hold.value };
    const session = await openSession(request, started, snapshot.sealingKeys);
    if (!session.ok) return end(session.refusal, marks);
    // Settle everything that AssumeRole is asked for.
    const plan = toPlan(request, {
      grant: granted.value,
      stamp,
      network: network.value,
      session: session.value,
      begun,
    });
    // Assume the role, and look again whether anything was revoked meanwhile.
    const assumed = await assume(request, plan, started);
    if (!assumed.ok) return end(assumed.refusal, describePlan(plan));
    // Let the credentials go once their record is written.
    return letGo(assumed.value, describePlan(plan));
  }

  return vend;
}
