import { ok, type Result } from '../lib/result.ts';
import type { SessionDirectory } from '../sessions/directory.ts';
import type { SessionRow } from '../sessions/session.ts';
import { may, type OperationRefusal, type Operator } from './operator.ts';
import { isOwn, type SessionView, type ShownSession } from './shown-session.ts';

/**
 * Shows a session to its owner, to operators, and to authorizers, which are operators too. Its
 * status is `unknown` if there is none, and also if the caller may not see it.
 */
export type ShowSession = (
  operator: Operator,
  id: string,
) => Promise<Result<ShownSession, OperationRefusal>>;

type Dependencies = {
  readonly directory: Pick<SessionDirectory, 'find'>;
  readonly view: SessionView;
};

export function createShowSession({ directory, view }: Dependencies): ShowSession {
  async function showSession(operator: Operator, id: string): ReturnType<ShowSession> {
    let row: SessionRow | undefined;
    try {
      row = await directory.find(id, operator.snapshot.sealingKeys);
    } catch (error) {
      return view.failOnTable(operator, error);
    }
    const isVisible = isOwn(operator.caller, row) || may(operator, 'list', row?.session.profile);
    const shown = isVisible ? row : undefined;
    return ok({ id, status: view.statusOf(shown), row: shown });
  }

  return showSession;
}
