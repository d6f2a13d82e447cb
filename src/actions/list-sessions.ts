import type { AuditLog } from '../audit/log.ts';
import type { Caller } from '../identity/caller.ts';
import type { Clock } from '../lib/clock.ts';
import { toShownName, toStoredName, type NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SessionDirectory } from '../sessions/directory.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { SessionQuery } from '../sessions/list-plan.ts';
import type { SessionRow, SessionStatus } from '../sessions/session.ts';
import type { SessionPage } from '../sessions/list.ts';
import { describeCaller } from './describe-caller.ts';
import { may, type OperationRefusal, type Operator } from './operator.ts';

/** A session as it is shown: the row, and what it comes to at this moment. */
export type ShownSession = { readonly id: string; readonly status: SessionStatus; readonly row?: SessionRow };

/** A page of them; `next` is to be given back for the page behind it. */
export type ShownPage = { readonly sessions: readonly ShownSession[]; readonly next?: string };

type Dependencies = {
  readonly clock: Clock;
  readonly revocations: Pick<Revocations, 'ofVend'>;
  readonly directory: SessionDirectory;
  readonly audit: AuditLog;
  readonly bareNames: NamedKind;
  readonly onFault: (error: unknown) => void;
};

type Outcome<Value> = Promise<Result<Value, OperationRefusal>>;

/** Sessions are in a table that cannot be read just now. */
export const NO_TABLE = { kind: 'unavailable', what: 'the table of sessions', cause: 'sessions' } as const;

/** Whether a row is this caller's own, by the TVM's word. */
export function isOwn({ subject }: Caller, row: SessionRow | undefined): boolean {
  return row?.genuine === true && row.session.subject === subject;
}

/** What people and authorizers are told of sessions. */
export function createSessionReports(dependencies: Dependencies) {
  const { clock, revocations, directory, audit, bareNames, onFault } = dependencies;

  function statusOf(row: SessionRow | undefined): SessionStatus {
    if (row === undefined) return 'unknown';
    const { session, status, genuine } = row;
    const isRevoked =
      status === 'revoked' ||
      revocations.ofVend(
        { ...session, name: toShownName(session.user, bareNames), storedName: session.user },
        session.profile,
      ) !== undefined;
    // What takes away is believed of anybody, what gives only of the TVM itself.
    if (isRevoked) return 'revoked';
    if (!genuine) return 'unknown';
    return status === 'expired' || clock() >= session.endsAt ? 'expired' : 'active';
  }

  /** Refuses, and leaves the record that every 503 leaves. */
  async function unreadable({ caller, httpRequestId, address }: Operator, error: unknown) {
    onFault(error);
    await audit.append({
      event: 'unavailable',
      http_request_id: httpRequestId,
      ...(address === undefined ? {} : { source_ip: address }),
      ...describeCaller(caller),
      effect: 'deny',
      error: NO_TABLE.kind,
      cause: NO_TABLE.cause,
      reason: `${NO_TABLE.what} is not available`,
    });
    return refuse<OperationRefusal>(NO_TABLE);
  }

  /**
   * A session, for its owner, for operators, and for authorizers, which are operators too. What is not there is
   * `unknown`, and so is what the caller may not see.
   */
  async function find(operator: Operator, id: string): Outcome<ShownSession> {
    let row: SessionRow | undefined;
    try {
      row = await directory.find(id, operator.snapshot.sealingKeys);
    } catch (error) {
      return unreadable(operator, error);
    }
    const isVisible = isOwn(operator.caller, row) || may(operator, 'list', row?.session.profile);
    const shown = isVisible ? row : undefined;
    return ok({ id, status: statusOf(shown), ...(shown === undefined ? {} : { row: shown }) });
  }

  /**
   * A page of sessions: an operator's of all, anybody else's of their own; `user` by the name that documents use, and
   * `status` by what is shown. A page may be empty, or not full, and have a next one: each costs a bounded amount.
   */
  async function list(operator: Operator, asked: SessionQuery, next: string | undefined): Outcome<ShownPage> {
    const { caller, snapshot } = operator;
    const query = asked.user === undefined ? asked : { ...asked, user: toStoredName(asked.user, bareNames) };
    const own = may(operator, 'list', query.profile) ? {} : { user: caller.storedName, subject: caller.subject };
    if (query.user !== undefined && own.user !== undefined && query.user !== own.user) {
      return refuse({ kind: 'not-operator', action: 'list', what: 'Sessions of others' });
    }
    function isAsked(status: SessionStatus): boolean {
      return query.status === undefined || status === query.status;
    }
    let page: SessionPage | undefined;
    try {
      page = await directory.list({ ...query, ...own }, snapshot.sealingKeys, next, (row) => isAsked(statusOf(row)));
    } catch (error) {
      return unreadable(operator, error);
    }
    if (page === undefined) return refuse({ kind: 'bad-token' });
    // Once more: the page may have been kept for a moment in which a session ended.
    const sessions = page.rows
      .map((row) => ({ id: row.session.id, status: statusOf(row), row }))
      .filter(({ status }) => isAsked(status));
    return ok({ sessions, ...(page.next === undefined ? {} : { next: page.next }) });
  }

  return { find, list };
}

export type SessionReports = ReturnType<typeof createSessionReports>;
