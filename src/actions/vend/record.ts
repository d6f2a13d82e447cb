import type { AuditLog } from '../../audit/log.ts';
import type { VendEntry } from '../../audit/record.ts';
import type { VendRecord } from '../../audit/vend-record.ts';
import { release } from '../../audit/release.ts';
import { formatInstant } from '../../lib/clock.ts';
import { refuse, type Refused, type Result } from '../../lib/result.ts';
import { describeRequest } from '../describe-request.ts';
import type { ApprovalRefusal } from '../approvals/refusal.ts';
import { causeOf, unavailable, type VendRefusal } from '../refusal.ts';
import type { Facts } from './gather.ts';
import type { Plan, Stamp, Vended, VendRequest } from './plan.ts';

/** Why a vend ended without credentials, with what its record says besides. */
export type Failure = {
  readonly refusal: VendRefusal | ApprovalRefusal;
  readonly outcome: 'denied' | 'failed';
} & Partial<Pick<VendRecord, 'upstream_code' | 'vended_access_key_id' | 'expiration'>>;

/**
 * What the record of a vend says from when its stamp is drawn, and more from when it is planned.
 */
type Described = Partial<VendRecord>;

type Recorder = {
  readonly audit: AuditLog;
  readonly request: VendRequest;
  readonly facts: Facts;
  readonly catalogVersion: string;
  /** Whether the operator's grace is being used at this moment. */
  readonly inGrace: () => boolean;
};

function effectOf({ grant, decision }: Facts): VendRecord['effect'] {
  if (grant.ok) return 'allow';
  return decision.effect === 'require_approval' ? 'require_approval' : 'deny';
}

/** The ways in which a vend ends. Each leaves its one record. */
export function createVendEnds({ audit, request, facts, catalogVersion, inGrace }: Recorder) {
  const { decision } = facts;

  function entry(what: Described & Pick<VendRecord, 'outcome'>): VendEntry {
    return {
      event: 'vend',
      ...describeRequest(request),
      profile: request.profile,
      policy_path: `policies/${request.profile}`,
      unique_id: request.caller.uniqueId,
      asked_duration_seconds: request.duration,
      ...describeBasis(facts),
      effect: effectOf(facts),
      rule: decision.rule ?? '',
      rule_index: decision.ruleIndex,
      rule_hash: decision.ruleHash,
      catalog_version: catalogVersion,
      reason: decision.reason ?? '',
      revocations: inGrace() ? 'grace' : undefined,
      ...what,
    };
  }

  /** Ends without credentials. */
  async function end(
    { refusal, ...rest }: Failure,
    more: Described,
  ): Promise<Refused<Failure['refusal']>> {
    const said = {
      ...more,
      ...rest,
      ...requestOf(refusal),
      error: refusal.kind,
      cause: causeOf(refusal),
    };
    // Policy allowed the first of the copies; about this one it was not asked.
    await audit.append(entry(refusal.kind === 'replayed' ? { ...said, effect: 'deny' } : said));
    return refuse(refusal);
  }

  /** Lets the credentials go once their record is written. */
  function letGo(vended: Vended, more: Described): Promise<Result<Vended, VendRefusal>> {
    const whole = { ...more, ...describeIssued(vended) };
    return release(audit, {
      value: vended,
      record: entry({ ...whole, outcome: 'vended' }),
      otherwise: entry({ ...whole, outcome: 'failed' }),
      refusal: unavailable('audit'),
    });
  }

  return { end, letGo };
}

/** The request for an approval that a refused vend was pointed to. */
function requestOf(refusal: Failure['refusal']): Partial<VendRecord> {
  const isRequested = refusal.kind === 'approval-required' && refusal.next.kind === 'requested';
  return isRequested ? { request_id: refusal.next.id } : {};
}

/** The approval or the event that a vend rests on, as a record names it. */
function describeBasis({ grant }: Facts): Partial<VendRecord> {
  const basis = grant.ok ? grant.value.basis : undefined;
  if (basis === undefined) return {};
  if (basis.kind === 'break-glass') return { break_glass_event_id: basis.event.id };
  const { request } = basis;
  const approvals = request.reviews.filter(({ verdict }) => verdict === 'approve');
  return {
    request_id: request.id,
    approved_request_id: request.id,
    approvers: approvals.map(({ reviewer }) => reviewer.name),
  };
}

/** The credentials that STS made, as a record names them. */
export function describeIssued({ accessKeyId, expiration }: Vended) {
  return { vended_access_key_id: accessKeyId, expiration: formatInstant(expiration) };
}

/** The marks of a vend, as a record names them. */
export function describeStamp({ vendId, sourceIdentity }: Stamp): Described {
  return { vend_id: vendId, source_identity: sourceIdentity };
}

/** A vend as it was planned. */
export function describePlan({ input, seconds, session, stamp }: Plan): Described {
  return {
    ...describeStamp(stamp),
    session_id: session.id,
    role_session_name: input.RoleSessionName ?? '',
    role_arn: input.RoleArn ?? '',
    session_duration_seconds: seconds,
    tracking: session.tracking,
  };
}
