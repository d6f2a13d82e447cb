import type { AuditLog } from '../audit/log.ts';
import type { AuditEntry, VendRecord } from '../audit/record.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { formatInstant, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { reserveClaim, type ReplayGuard } from '../replay/guard.ts';
import type { AssumeRole, AssumeRoleFault } from './assume-role.ts';
import { decide } from './decide.ts';
import { describeCaller } from './describe-caller.ts';
import { toPlan, toVended, type Plan, type Vended, type VendRequest } from './plan.ts';
import type { VendRefusal } from './refusal.ts';

type Dependencies = {
  readonly clock: Clock;
  readonly guard: ReplayGuard;
  readonly assumeRole: AssumeRole;
  readonly audit: AuditLog;
};

export type Vend = (request: VendRequest, snapshot: Snapshot) => Promise<Result<Vended, VendRefusal>>;

/**
 * Vends: decide, reserve against replay, assume the role, write the audit record, and only then answer. Each outcome
 * leaves one record; credentials whose record could not be written are discarded.
 */
export const createVend = ({ clock, guard, assumeRole, audit }: Dependencies): Vend => {
  const refuseWith = async (entry: AuditEntry, refusal: VendRefusal) => {
    await audit.append(entry);
    return refuse(refusal);
  };

  return async (request, snapshot) => {
    const begun = clock();
    const { decision, outcome } = decide(snapshot, request.caller, request.profile, begun);
    const entry = (what: Pick<VendRecord, 'outcome'> & Partial<VendRecord>): AuditEntry => ({
      ...describeRequest(request),
      effect: decision.effect === 'allow' && outcome.ok ? 'allow' : toSentinelEffect(decision.effect),
      rule: decision.rule ?? '',
      rule_index: decision.ruleIndex,
      reason: decision.reason ?? '',
      ...what,
    });
    if (!outcome.ok) return refuseWith(entry({ outcome: 'denied', error: outcome.refusal.kind }), outcome.refusal);

    const plan = toPlan(request, outcome.value, begun);
    if (!plan.ok) return refuseWith(entry({ outcome: 'denied', error: plan.refusal.kind }), plan.refusal);
    const stamped = describePlan(plan.value);

    const reserved = await reserveClaim(guard, request.replay, begun);
    if (!reserved.ok) {
      const refusal = toGuardRefusal(reserved.refusal);
      const outcome = reserved.refusal === 'replayed' ? 'denied' : 'failed';
      return refuseWith(entry({ ...stamped, outcome, error: refusal.kind }), refusal);
    }
    const assumed = await assumeRole(plan.value.input);
    if (!assumed.ok) {
      if (assumed.refusal.certainlyNone) await reserved.value.release();
      const refusal = toUpstreamRefusal(assumed.refusal, request.profile);
      const { code } = assumed.refusal;
      return refuseWith(entry({ ...stamped, outcome: 'failed', error: refusal.kind, upstream_code: code }), refusal);
    }
    const vended = toVended(assumed.value, plan.value);
    const issued = { vended_access_key_id: vended.accessKeyId, expiration: formatInstant(vended.expiration) };
    if (await audit.append(entry({ ...stamped, ...issued, outcome: 'vended' }), true)) return ok(vended);
    void audit.append(entry({ ...stamped, ...issued, outcome: 'failed', error: 'the audit log took too long' }));
    return refuse({ kind: 'unavailable', what: 'the audit log' });
  };
};

const toSentinelEffect = (effect: string): VendRecord['effect'] =>
  effect === 'require_approval' ? 'require_approval' : 'deny';

const describeRequest = ({ caller, profile, address, httpRequestId }: VendRequest) => ({
  event: 'vend' as const,
  http_request_id: httpRequestId,
  ...(address === undefined ? {} : { source_ip: address }),
  ...describeCaller(caller),
  profile,
  policy_path: `policies/${profile}`,
});

const describePlan = ({ input, seconds, sessionId, sourceIdentity, requestId }: Plan) => ({
  request_id: requestId,
  session_id: sessionId,
  source_identity: sourceIdentity,
  role_session_name: input.RoleSessionName ?? '',
  role_arn: input.RoleArn ?? '',
  session_duration_seconds: seconds,
});

export const toGuardRefusal = (refusal: 'replayed' | 'unavailable'): VendRefusal =>
  refusal === 'replayed' ? { kind: 'replayed' } : { kind: 'unavailable', what: 'the replay guard' };

const toUpstreamRefusal = ({ kind }: AssumeRoleFault, profile: string): VendRefusal => {
  switch (kind) {
    case 'throttled':
      return { kind: 'upstream-throttled' };
    case 'misconfigured':
      return { kind: 'misconfigured', profile };
    case 'unavailable':
      return { kind: 'unavailable', what: 'AWS STS' };
  }
};
