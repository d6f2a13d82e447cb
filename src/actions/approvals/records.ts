import type { AccessRequest } from '../../approvals/request.ts';
import type { AuditLog } from '../../audit/log.ts';
import type { ApprovalEntry, ApprovalRecord } from '../../audit/record.ts';
import { release } from '../../audit/release.ts';
import type { Clock } from '../../lib/clock.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { ok, refuse, type Refused, type Result } from '../../lib/result.ts';
import { reserveClaim, type ReplayGuard } from '../../replay/guard.ts';
import { describeRequest, type KnownRequest } from '../describe-request.ts';
import type { OperationRefusal, Operator } from '../operator.ts';
import type { ApprovalRefusal } from './refusal.ts';
import { causeOf, toGuardRefusal, unavailable } from '../refusal.ts';
import { toDigest } from '../../approvals/digest.ts';

type Dependencies = {
  readonly clock: Clock;
  /** Shared by all instances, whatever guards vends. */
  readonly guard: ReplayGuard;
  readonly audit: AuditLog;
  readonly bareNames: NamedKind;
  readonly onFault: (error: unknown) => void;
};

/** What was tried, as the record says it. */
export type Tried = Pick<ApprovalRecord, 'action'> & Partial<ApprovalRecord>;

function toEntry(by: KnownRequest, what: Tried & Pick<ApprovalRecord, 'effect'>): ApprovalEntry {
  return { event: 'approval', ...describeRequest(by), actor: by.caller.name, ...what };
}

/**
 * What approvals share: the ways in which an action on a request ends, each of which leaves one
 * record.
 */
export function createApprovalRecords({ clock, guard, audit, bareNames, onFault }: Dependencies) {
  /** A request as records name it, with Sentinel's names of fields. */
  function describe(request: AccessRequest): Partial<ApprovalRecord> {
    const approvers = request.reviews.filter(({ verdict }) => verdict === 'approve');
    return {
      request_id: request.id,
      requester: toShownName(request.requester.name, bareNames),
      profile: request.profile,
      status: request.status,
      justification: request.justification,
      ticket: request.ticket,
      extends: request.extends,
      duration_seconds: request.grant?.seconds ?? request.seconds,
      digest: request.grant?.digest ?? toDigest(request.shown),
      auto_approved: request.grant?.auto,
      approver:
        approvers.map(({ reviewer }) => toShownName(reviewer.name, bareNames)).join(', ') ||
        undefined,
    };
  }

  /**
   * Acknowledges what was done once its record is written. Without one it stands, and the answer
   * says so.
   */
  function conclude<Value>(by: KnownRequest, tried: Tried, request: AccessRequest, value: Value) {
    const record = toEntry(by, { ...describe(request), ...tried, effect: 'allow' });
    const refusal: ApprovalRefusal = { kind: 'request-unrecorded', id: request.id };
    return release<Value, ApprovalRefusal>(audit, { value, record, otherwise: record, refusal });
  }

  /** Refuses because something cannot be reached. */
  async function fail(
    by: KnownRequest,
    tried: Tried,
    error: unknown,
  ): Promise<Refused<OperationRefusal>> {
    onFault(error);
    const refusal = unavailable('approvals');
    await audit.append(
      toEntry(by, { ...tried, effect: 'deny', error: refusal.kind, cause: refusal.cause }),
    );
    return refuse(refusal);
  }

  /** Refuses what may not be done, or is not possible. */
  async function deny(
    by: KnownRequest,
    tried: Tried,
    refusal: OperationRefusal,
  ): Promise<Refused<OperationRefusal>> {
    await audit.append(
      toEntry(by, { ...tried, effect: 'deny', error: refusal.kind, cause: causeOf(refusal) }),
    );
    return refuse(refusal);
  }

  /** Uses the request up, never to be released. */
  async function reserve(by: Operator, tried: Tried): Promise<Result<undefined, OperationRefusal>> {
    const reserved = await reserveClaim(guard, by.replay, clock());
    return reserved.ok ? ok(undefined) : deny(by, tried, toGuardRefusal(reserved.refusal));
  }

  return { describe, conclude, fail, deny, reserve };
}

export type ApprovalRecords = ReturnType<typeof createApprovalRecords>;
