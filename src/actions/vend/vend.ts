import type { AuditLog } from '../../audit/log.ts';
import type { VendEntry, VendRecord } from '../../audit/record.ts';
import { release } from '../../audit/release.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { formatInstant, SECOND, type Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { reserveClaim, type ReplayGuard, type Reservation } from '../../replay/guard.ts';
import type { Revocations } from '../../revocations/feed.ts';
import type { LabelsFull } from '../../sessions/label-places.ts';
import type { SessionTracker, Tracked } from '../../sessions/tracker.ts';
import type { AssumeRole, AssumeRoleFault } from './assume-role.ts';
import { decide, type Grant } from './decide.ts';
import { describeCaller } from '../describe-caller.ts';
import { toNetwork, toPlan, toStamp, toVended, type Plan, type Stamp, type Vended, type VendRequest } from './plan.ts';
import { causeOf, type VendRefusal } from '../refusal.ts';
import { toRevokedRefusal } from '../revoked.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly guard: ReplayGuard;
  readonly revocations: Pick<Revocations, 'ofVend' | 'isUsable' | 'inGrace'>;
  readonly sessions: Pick<SessionTracker, 'use'>;
  readonly assumeRole: AssumeRole;
  readonly audit: AuditLog;
};

export type Vend = (request: VendRequest, snapshot: Snapshot) => Promise<Result<Vended, VendRefusal>>;

/** Why a vend ended without credentials, with what its record says besides. */
type Failure = { readonly refusal: VendRefusal; readonly outcome: 'denied' | 'failed' } & Partial<
  Pick<VendRecord, 'upstream_code' | 'vended_access_key_id' | 'expiration'>
>;

function denied(refusal: VendRefusal) {
  return refuse<Failure>({ refusal, outcome: 'denied' });
}
function failed(refusal: VendRefusal, more: Partial<Failure> = {}) {
  return refuse<Failure>({ ...more, refusal, outcome: 'failed' });
}

/**
 * Vends: decide, look into the revocations, reserve against replay, open or continue the session, assume the role, look
 * into the revocations once more, write the audit record, and only then answer. Each outcome leaves one record;
 * credentials that were revoked while they were made, or whose record could not be written, are discarded.
 */
export function createVend(dependencies: Dependencies): Vend {
  const { clock, guard, revocations, sessions, audit } = dependencies;

  /** What must be so before AWS is asked for anything. */
  async function prepare(
    request: VendRequest,
    grant: Grant,
    stamp: Stamp,
    snapshot: Snapshot,
    begun: number,
  ): Promise<Result<{ readonly plan: Plan; readonly session: Tracked; readonly hold: Reservation }, Failure>> {
    const { caller, profile } = request;
    const revoked = revocations.ofVend(caller, profile);
    if (revoked !== undefined) return denied(toRevokedRefusal(revoked, caller, profile));
    const network = toNetwork(request, grant);
    if (!network.ok) return denied(network.refusal);
    const hold = await reserveClaim(guard, request.replay, begun);
    if (!hold.ok) return hold.refusal === 'replayed' ? denied({ kind: 'replayed' }) : failed(NO_GUARD);
    const { subject, principal, storedName: user, account } = caller;
    const session = await sessions.use(
      {
        key: { subject, principal, user, account, profile, label: request.label ?? '' },
        sourceIdentity: stamp.sourceIdentity,
        required: grant.requiresSession,
      },
      snapshot.sealingKeys,
    );
    if (!session.ok) {
      await hold.value.release();
      return session.refusal.kind === 'unavailable'
        ? failed(NO_SESSION)
        : denied(toLabelsRefusal(session.refusal, profile, clock()));
    }
    const plan = toPlan(request, { grant, stamp, session: session.value, network: network.value, begun });
    return ok({ plan, session: session.value, hold: hold.value });
  }

  async function assume(request: VendRequest, plan: Plan, hold: Reservation): Promise<Result<Vended, Failure>> {
    const assumed = await dependencies.assumeRole(plan.input);
    if (!assumed.ok) {
      if (assumed.refusal.certainlyNone) await hold.release();
      return failed(toUpstreamRefusal(assumed.refusal, request.profile), { upstream_code: assumed.refusal.code });
    }
    const vended = toVended(assumed.value, plan);
    const revoked = revocations.ofVend(request.caller, request.profile);
    // STS has made them, so an incident must find them, though nobody gets them.
    if (revoked === undefined && !revocations.isUsable()) return failed(NO_LIST, issued(vended));
    if (revoked === undefined) return ok(vended);
    return refuse({
      refusal: toRevokedRefusal(revoked, request.caller, request.profile),
      outcome: 'denied',
      ...issued(vended),
    });
  }

  async function vend(request: VendRequest, snapshot: Snapshot): Promise<Result<Vended, VendRefusal>> {
    const begun = clock();
    const { decision, outcome } = decide(snapshot, request.caller, request.profile, begun);
    function entry(what: Pick<VendRecord, 'outcome'> & Partial<VendRecord>): VendEntry {
      return {
        ...describeRequest(request),
        effect: outcome.ok ? 'allow' : decision.effect === 'require_approval' ? 'require_approval' : 'deny',
        rule: decision.rule ?? '',
        rule_index: decision.ruleIndex,
        reason: decision.reason ?? '',
        ...(revocations.inGrace() ? { revocations: 'grace' as const } : {}),
        ...what,
      };
    }
    async function end({ refusal, ...rest }: Failure, more: Partial<VendRecord> = {}) {
      const cause = causeOf(refusal);
      await audit.append(
        entry({
          ...more,
          ...rest,
          error: refusal.kind,
          ...(cause === undefined ? {} : { cause }),
          // Policy allowed the first of the copies; of this one it was never asked.
          ...(refusal.kind === 'replayed' ? { effect: 'deny' } : {}),
        }),
      );
      return refuse(refusal);
    }
    if (!outcome.ok) return end({ refusal: outcome.refusal, outcome: 'denied' });
    const stamp = toStamp(request.caller);
    const prepared = await prepare(request, outcome.value, stamp, snapshot, begun);
    if (!prepared.ok) return end(prepared.refusal, describeStamp(stamp));
    const { plan, session, hold } = prepared.value;
    const stamped = { ...describePlan(plan), tracking: session.tracking };
    const vended = await assume(request, plan, hold);
    if (!vended.ok) return end(vended.refusal, stamped);
    const whole = { ...stamped, ...issued(vended.value) };
    return release(audit, {
      value: vended.value,
      record: entry({ ...whole, outcome: 'vended' }),
      otherwise: entry({ ...whole, outcome: 'failed' }),
      refusal: NO_AUDIT,
    });
  }

  return vend;
}

function issued({ accessKeyId, expiration }: Vended) {
  return {
    vended_access_key_id: accessKeyId,
    expiration: formatInstant(expiration),
  };
}

function describeRequest({ caller, profile, address, httpRequestId }: VendRequest) {
  return {
    event: 'vend' as const,
    http_request_id: httpRequestId,
    ...(address === undefined ? {} : { source_ip: address }),
    ...describeCaller(caller),
    profile,
    policy_path: `policies/${profile}`,
  };
}

function describeStamp({ requestId, sourceIdentity }: Stamp) {
  return {
    vend_id: requestId,
    source_identity: sourceIdentity,
  };
}

function describePlan({ input, seconds, sessionId, sourceIdentity, requestId }: Plan) {
  return {
    ...describeStamp({ requestId, sourceIdentity }),
    session_id: sessionId,
    role_session_name: input.RoleSessionName ?? '',
    role_arn: input.RoleArn ?? '',
    session_duration_seconds: seconds,
  };
}

/** The record of what was to leave could not be written in time, so it did not. */
export const NO_AUDIT = { kind: 'unavailable', what: 'the audit log', cause: 'audit' } as const;

/** What was known of revocations grew too old while STS was asked. */
export const NO_LIST: VendRefusal = {
  kind: 'unavailable',
  what: 'the list of revocations',
  cause: 'revocations',
};

/** The guard cannot tell, and so must say no. */
export const NO_GUARD: VendRefusal = { kind: 'unavailable', what: 'the replay guard', cause: 'guard' };

const NO_SESSION: VendRefusal = {
  kind: 'unavailable',
  what: "the table of sessions, which this profile's vends must be in,",
  cause: 'sessions',
};

/** Too many labels; `now` in epoch milliseconds. */
function toLabelsRefusal({ most, until }: LabelsFull, profile: string, now: number): VendRefusal {
  const retryAfterSeconds = Math.max(1, Math.ceil((until - now) / SECOND));
  return { kind: 'labels-full', profile, most, until, retryAfterSeconds };
}

function toUpstreamRefusal({ kind }: AssumeRoleFault, profile: string): VendRefusal {
  switch (kind) {
    case 'throttled':
      return { kind: 'upstream-throttled' };
    case 'misconfigured':
      return { kind: 'misconfigured', profile };
    case 'unavailable':
      return { kind: 'unavailable', what: 'AWS STS', cause: 'sts' };
  }
}
