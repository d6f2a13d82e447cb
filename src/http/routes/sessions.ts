import * as v from 'valibot';
import { formatInstant } from '../../lib/clock.ts';
import { toShownName, type NamedKind } from '../../lib/names.ts';
import { ok, type Result } from '../../lib/result.ts';
import { isProfileName } from '../../policy/profile-name.ts';
import type { SessionQuery } from '../../sessions/list-plan.ts';
import type { ListSessions } from '../../actions/list-sessions.ts';
import type { Revoking } from '../../actions/revoke.ts';
import type { ShowSession } from '../../actions/show-session.ts';
import type { ShownSession } from '../../actions/shown-session.ts';
import type { Authenticate } from '../authenticate.ts';
import { authenticated, toOperator, type Authentic } from '../endpoint.ts';
import { fields, instant, invalid, NEXT, readFields, readQuery, reason } from '../fields.ts';
import { readJsonBody } from '../json-body.ts';
import type { Refusal } from '../refusals.ts';
import { toDoneBody } from './revocations.ts';

type Dependencies = {
  readonly authenticate: Authenticate;
  readonly revokeSession: Revoking['revokeSession'];
  readonly listSessions: ListSessions;
  readonly showSession: ShowSession;
  readonly bareNames: NamedKind;
};

const SESSION_ID = /^\/sessions\/([0-9a-f]{16})(?:\/revoke)?$/u;

const STATUSES = ['active', 'revoked', 'expired'] as const;

const QUERY = fields({
  // Longer than any name, and shorter than what an index can be asked for.
  user: v.optional(
    v.pipe(v.string(), v.regex(/^[\u0020-\u007e]{1,1024}$/u, 'must be the name of a caller, as GET /whoami tells it')),
  ),
  profile: v.optional(
    v.pipe(v.string(), v.check(isProfileName, 'must be the name of a profile, like dev or team/prod')),
  ),
  status: v.optional(v.picklist(STATUSES, `must be one of ${STATUSES.join(', ')}`)),
  since: v.optional(instant),
  until: v.optional(instant),
  [NEXT]: v.optional(v.string()),
});

function time(ms: number): string | undefined {
  return ms > 0 ? formatInstant(ms) : undefined;
}

/** A session as it is shown: `active` is what authorizers ask for, everything else is for people. */
function toBody({ id, status, row }: ShownSession, bareNames: NamedKind) {
  return {
    id,
    active: status === 'active',
    status,
    ...(row === undefined
      ? {}
      : {
          user: toShownName(row.session.user, bareNames),
          subject: row.session.subject || undefined,
          principal: row.session.principal || undefined,
          profile: row.session.profile,
          session_label: row.session.label || undefined,
          started_at: time(row.session.startedAt),
          last_access_at: time(row.session.lastAccessAt),
          expires_at: time(row.session.endsAt),
          request_count: row.session.requestCount,
          source_identity: row.session.sourceIdentity || undefined,
          revoked_by: row.revokedBy === undefined ? undefined : toShownName(row.revokedBy, bareNames),
        }),
  };
}

function readId({ request }: Authentic): Result<string, Refusal> {
  const id = SESSION_ID.exec(request.path)?.[1];
  return id === undefined ? invalid('The id of a session is sixteen hexadecimal digits.', 'id') : ok(id);
}

/**
 * `GET /sessions`: sessions by user, profile, status and time, newest first; at most 100 a page, and a page that is not full
 * may have a next one. Without operator's rights, one's own.
 */
export function createSessionsHandler({ authenticate, listSessions, bareNames }: Dependencies) {
  return authenticated(authenticate, async (authentic) => {
    const given = readQuery(authentic.request, [...QUERY.keys]);
    if (!given.ok) return given;
    const parsed = readFields(QUERY, given.value, 'query parameter');
    if (!parsed.ok) return parsed;
    const { [NEXT]: next, ...wanted } = parsed.value;
    const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = wanted;
    if (since >= until) return invalid('The query parameter "since" must lie before "until".', 'since');
    const query: SessionQuery = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
    const page = await listSessions(toOperator(authentic), query, next);
    if (!page.ok) return page;
    return ok({ sessions: page.value.sessions.map((one) => toBody(one, bareNames)), next_token: page.value.next });
  });
}

/** `GET /sessions/{id}`: one session; what is unknown, or not the caller's to know, is not active. */
export function createSessionHandler({ authenticate, showSession, bareNames }: Dependencies) {
  return authenticated(authenticate, async (authentic) => {
    const id = readId(authentic);
    if (!id.ok) return id;
    const given = readQuery(authentic.request, []);
    if (!given.ok) return given;
    const found = await showSession(toOperator(authentic), id.value);
    return found.ok ? ok(toBody(found.value, bareNames)) : found;
  });
}

const REVOKE = fields({ reason });

/** `POST /sessions/{id}/revoke`: nothing more for its subject on its profile, until the session would have ended. */
export function createRevokeSessionHandler({ authenticate, revokeSession, bareNames }: Dependencies) {
  return authenticated(authenticate, async (authentic) => {
    const id = readId(authentic);
    if (!id.ok) return id;
    const body = readJsonBody(authentic.request, '{"reason":"laptop stolen"}');
    if (!body.ok) return body;
    const wish = readFields(REVOKE, body.value, 'field');
    if (!wish.ok) return wish;
    const revoked = await revokeSession(toOperator(authentic), id.value, wish.value.reason);
    return revoked.ok ? ok(toDoneBody(revoked.value, bareNames)) : revoked;
  });
}
