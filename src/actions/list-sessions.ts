import { toStoredName, type NamedKind } from '../lib/names.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SessionDirectory } from '../sessions/directory.ts';
import type { SessionQuery } from '../sessions/list-plan.ts';
import type { SessionPage } from '../sessions/list.ts';
import type { SessionStatus } from '../sessions/session.ts';
import { may, type OperationRefusal, type Operator } from './operator.ts';
import type { SessionView, ShownSession } from './shown-session.ts';

/** A page of sessions; `next` is to be given back for the page behind it. */
export type ShownPage = {
  readonly sessions: readonly ShownSession[];
  readonly next: string | undefined;
};

/**
 * Lists a page of sessions: an operator's of all, anybody else's of their own. `user` is the name
 * that documents use, and `status` is what is shown. A page may be empty, or not full, and have a
 * next one: each costs a bounded amount.
 */
export type ListSessions = (
  operator: Operator,
  asked: SessionQuery,
  next: string | undefined,
) => Promise<Result<ShownPage, OperationRefusal>>;

type Dependencies = {
  readonly directory: Pick<SessionDirectory, 'list'>;
  readonly view: SessionView;
  readonly bareNames: NamedKind;
};

export function createListSessions({ directory, view, bareNames }: Dependencies): ListSessions {
  async function listSessions(
    operator: Operator,
    asked: SessionQuery,
    next: string | undefined,
  ): ReturnType<ListSessions> {
    const { caller, snapshot } = operator;
    const query =
      asked.user === undefined ? asked : { ...asked, user: toStoredName(asked.user, bareNames) };
    // Without an operator's rights a caller sees their own sessions only.
    const own = may(operator, 'list', query.profile)
      ? {}
      : { user: caller.storedName, subject: caller.subject };
    if (query.user !== undefined && own.user !== undefined && query.user !== own.user) {
      return refuse({ kind: 'not-operator', action: 'list', on: { kind: 'sessions-of-others' } });
    }
    function isAsked(status: SessionStatus): boolean {
      return query.status === undefined || status === query.status;
    }
    let page: SessionPage | undefined;
    try {
      page = await directory.list({ ...query, ...own }, snapshot.sealingKeys, next, (row) =>
        isAsked(view.statusOf(row)),
      );
    } catch (error) {
      return view.failOnTable(operator, error);
    }
    if (page === undefined) return refuse({ kind: 'bad-token' });
    // Look again: the page may have been kept for a moment, in which a session ended.
    const sessions = page.rows
      .map((row) => ({ id: row.session.id, status: view.statusOf(row), row }))
      .filter(({ status }) => isAsked(status));
    return ok({ sessions, next: page.next });
  }

  return listSessions;
}
