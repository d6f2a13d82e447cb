import { NEXT_TOKEN } from '../../contract/fields.ts';
import { ROUTES } from '../../contract/routes.ts';
import type { Session as SessionBody } from '../../contract/shapes.ts';
import { formatInstant } from '../../lib/clock.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { ok } from '../../lib/result.ts';
import { ALL_SESSIONS, type SessionQuery } from '../../sessions/list-plan.ts';
import type { ListSessions } from '../../actions/list-sessions.ts';
import type { Revoking } from '../../actions/revoke.ts';
import type { ShowSession } from '../../actions/show-session.ts';
import type { ShownSession } from '../../actions/shown-session.ts';
import { toOperator, type Authentic, type Outcome } from '../endpoint.ts';
import { invalid, readId, readQuery } from '../fields.ts';
import { readBody } from '../json-body.ts';
import { toDoneBody } from './revocations.ts';

type Dependencies = {
  readonly revokeSession: Revoking['revokeSession'];
  readonly listSessions: ListSessions;
  readonly showSession: ShowSession;
  readonly bareNames: NamedKind;
};

/** Sentinel's own rows may lack a time, which is 0 then. */
function toInstant(ms: number): string | undefined {
  return ms > 0 ? formatInstant(ms) : undefined;
}

/** A session as it is shown; what its row does not tell is left out. */
function toBody({ id, status, row }: ShownSession, bareNames: NamedKind): SessionBody {
  const known = { id, active: status === 'active', status };
  if (row === undefined) return known;
  const { session, revokedBy } = row;
  return {
    ...known,
    user: toShownName(session.user, bareNames),
    subject: session.subject || undefined,
    principal: session.principal || undefined,
    profile: session.profile,
    session_label: session.label || undefined,
    started_at: toInstant(session.startedAt),
    last_access_at: toInstant(session.lastAccessAt),
    expires_at: toInstant(session.endsAt),
    request_count: session.requestCount,
    source_identity: session.sourceIdentity || undefined,
    revoked_by: revokedBy === undefined ? undefined : toShownName(revokedBy, bareNames),
  };
}

/** `/sessions`: what callers and operators are told of sessions, and the end of one. */
export function createSessionEndpoints({ bareNames, ...actions }: Dependencies) {
  /**
   * `GET /sessions`: sessions by user, profile, status and time, newest first; at most 100 a page,
   * and a page that is not full may have a next one. Without an operator's rights, the caller's
   * own.
   */
  async function listSessions(authentic: Authentic): Promise<Outcome<'listSessions'>> {
    const given = readQuery(authentic.request, ROUTES.listSessions.query);
    if (!given.ok) return given;
    const { [NEXT_TOKEN]: next, ...wanted } = given.value;
    const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = wanted;
    if (since >= until)
      return invalid('The query parameter "since" must lie before "until".', 'since');
    const query: SessionQuery = { ...ALL_SESSIONS, ...wanted };
    const page = await actions.listSessions(toOperator(authentic), query, next);
    if (!page.ok) return page;
    return ok({
      sessions: page.value.sessions.map((one) => toBody(one, bareNames)),
      next_token: page.value.next,
    });
  }

  /**
   * `GET /sessions/{id}`: one session; what is unknown, or not the caller's to know, is not active.
   */
  async function showSession(authentic: Authentic): Promise<Outcome<'showSession'>> {
    const id = readId(authentic.request, ROUTES.showSession);
    if (!id.ok) return id;
    const query = readQuery(authentic.request, ROUTES.showSession.query);
    if (!query.ok) return query;
    const found = await actions.showSession(toOperator(authentic), id.value);
    return found.ok ? ok(toBody(found.value, bareNames)) : found;
  }

  /**
   * `POST /sessions/{id}/revoke`: nothing more for its subject on its profile, until the session
   * would have ended.
   */
  async function revokeSession(authentic: Authentic): Promise<Outcome<'revokeSession'>> {
    const id = readId(authentic.request, ROUTES.revokeSession);
    if (!id.ok) return id;
    const wish = readBody(authentic.request, ROUTES.revokeSession);
    if (!wish.ok) return wish;
    const revoked = await actions.revokeSession(toOperator(authentic), id.value, wish.value.reason);
    return revoked.ok ? ok(toDoneBody(revoked.value, bareNames)) : revoked;
  }

  return { listSessions, showSession, revokeSession };
}
