import type { AuditLog } from '../audit/log.ts';
import type { Caller } from '../identity/caller.ts';
import type { Clock } from '../lib/clock.ts';
import { toShownName, type NamedKind } from '../lib/names.ts';
import { refuse, type Refused } from '../lib/result.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { SessionRow, SessionStatus } from '../sessions/session.ts';
import { describeRequest } from './describe-request.ts';
import type { OperationRefusal, Operator } from './operator.ts';
import type { ReasonOf } from './record-refusal.ts';
import { unavailable } from './refusal.ts';

/**
 * A session as it is shown: its row, if the caller may see it, and what it comes to at this moment.
 */
export type ShownSession = {
  readonly id: string;
  readonly status: SessionStatus;
  readonly row: SessionRow | undefined;
};

/** Whether a row is this caller's own session, and the TVM itself wrote that. */
export function isOwn({ subject }: Caller, row: SessionRow | undefined): boolean {
  return row?.genuine === true && row.session.subject === subject;
}

type Dependencies = {
  readonly clock: Clock;
  readonly revocations: Pick<Revocations, 'ofVend' | 'ofGrant'>;
  readonly audit: AuditLog;
  readonly reasonOf: ReasonOf;
  readonly bareNames: NamedKind;
  readonly onFault: (error: unknown) => void;
};

/** What showing one session and listing many share. */
export function createSessionView(dependencies: Dependencies) {
  const { clock, revocations, audit, reasonOf, bareNames, onFault } = dependencies;

  function isRevoked({ session, status }: SessionRow): boolean {
    const { user, profile } = session;
    const whose = { ...session, name: toShownName(user, bareNames), storedName: user };
    const isEnded = session.grant !== '' && revocations.ofGrant(session.grant) !== undefined;
    return status === 'revoked' || isEnded || revocations.ofVend(whose, profile) !== undefined;
  }

  /**
   * What a row comes to. What takes away is believed of anybody, what gives only of the TVM itself.
   */
  function statusOf(row: SessionRow | undefined): SessionStatus {
    if (row === undefined) return 'unknown';
    if (isRevoked(row)) return 'revoked';
    if (!row.genuine) return 'unknown';
    return row.status === 'expired' || clock() >= row.session.endsAt ? 'expired' : 'active';
  }

  /** Refuses because the table cannot be read, and leaves the record that every 503 leaves. */
  async function failOnTable(
    operator: Operator,
    error: unknown,
  ): Promise<Refused<OperationRefusal>> {
    onFault(error);
    const refusal = unavailable('sessions');
    await audit.append({
      event: 'unavailable',
      ...describeRequest(operator),
      effect: 'deny',
      error: refusal.kind,
      cause: refusal.cause,
      reason: reasonOf(refusal),
    });
    return refuse(refusal);
  }

  return { statusOf, failOnTable };
}

export type SessionView = ReturnType<typeof createSessionView>;
