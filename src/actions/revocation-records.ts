import type { AuditLog } from '../audit/log.ts';
import type { RevocationEntry, RevocationRecord } from '../audit/record.ts';
import { release } from '../audit/release.ts';
import type { Clock } from '../lib/clock.ts';
import { ok, refuse, type Refused, type Result } from '../lib/result.ts';
import { reserveClaim, type ReplayGuard } from '../replay/guard.ts';
import type { Done } from './describe-revocation.ts';
import { describeRequest } from './describe-request.ts';
import type { OperationRefusal, Operator } from './operator.ts';
import { causeOf, toGuardRefusal, type UnavailableRefusal } from './refusal.ts';

type Dependencies = {
  readonly clock: Clock;
  /** Shared by all instances, whatever guards vends. */
  readonly guard: ReplayGuard;
  readonly audit: AuditLog;
};

/** What was tried, and on what, as the record says it. */
export type Tried = Pick<RevocationRecord, 'action'> & Partial<RevocationRecord>;

type Described = Tried & Pick<RevocationRecord, 'effect'>;

function toEntry(operator: Operator, what: Described): RevocationEntry {
  return { event: 'revocation', ...describeRequest(operator), ...what };
}

/** What revoking and lifting share: the ways in which they end, each of which leaves one record. */
export function createRevocationRecords({ clock, guard, audit }: Dependencies) {
  /**
   * Acknowledges what was done once its record is written. Without one it stands, and the answer
   * says so.
   */
  function conclude(
    operator: Operator,
    tried: Tried,
    done: Done,
  ): Promise<Result<Done, OperationRefusal>> {
    const record = toEntry(operator, { ...tried, effect: 'allow' });
    const refusal: OperationRefusal = {
      kind: 'unrecorded',
      action: tried.action,
      revocation: done.revocation,
    };
    return release(audit, { value: done, record, otherwise: record, refusal });
  }

  /** Refuses because something cannot be reached. */
  async function fail(
    operator: Operator,
    tried: Tried,
    refusal: UnavailableRefusal,
  ): Promise<Refused<OperationRefusal>> {
    const { kind: error, cause } = refusal;
    await audit.append(toEntry(operator, { ...tried, effect: 'allow', error, cause }));
    return refuse(refusal);
  }

  /** Refuses what the operator may not do. */
  async function deny(
    operator: Operator,
    tried: Tried,
    refusal: Extract<OperationRefusal, { kind: 'not-operator' | 'conflict' }>,
  ): Promise<Refused<OperationRefusal>> {
    const error = refusal.kind === 'conflict' ? 'own' : refusal.kind;
    await audit.append(toEntry(operator, { ...tried, effect: 'deny', error }));
    return refuse(refusal);
  }

  /**
   * Uses the request up, never to be released: what is refused now may be possible while a copy of
   * the request is still good.
   */
  async function reserve(
    operator: Operator,
    tried: Tried,
  ): Promise<Result<undefined, OperationRefusal>> {
    const reserved = await reserveClaim(guard, operator.replay, clock());
    if (reserved.ok) return ok(undefined);
    const refusal = toGuardRefusal(reserved.refusal);
    const said = { error: refusal.kind, cause: causeOf(refusal) };
    await audit.append(toEntry(operator, { ...tried, effect: 'deny', ...said }));
    return refuse(refusal);
  }

  return { conclude, fail, deny, reserve };
}
