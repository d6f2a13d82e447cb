import { createHash, createHmac } from 'node:crypto';
import {
  attributes,
  isoTime,
  numberAt,
  textAt,
  timeAt,
  toTtl,
  type Item,
} from '../aws/attributes.ts';
import { HOUR } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import {
  activeSealingKey,
  isSignedRow,
  signRow,
  subkey,
  type SealingKeys,
} from '../lib/sealing.ts';

/** Whose session it is: there is one for each subject, profile and label. */
export type SessionKey = {
  /** The one person or workload whose session it is; see Caller. */
  readonly subject: string;
  readonly principal: string;
  /** The name that policies have for the subject, as tables hold it. */
  readonly user: string;
  readonly account: string;
  readonly profile: string;
  /** The id of the approval that its vends rest on; empty if they rest on policy alone. */
  readonly grant: string;
  /** The caller's own; empty if it gave none. */
  readonly label: string;
};

/** A session. Times in epoch milliseconds. */
export type Session = SessionKey & {
  /** Sixteen hexadecimal digits. Never read from a request to vend. */
  readonly id: string;
  readonly startedAt: number;
  readonly endsAt: number;
  readonly lastAccessAt: number;
  readonly requestCount: number;
  /** The SourceIdentity of its first vend. */
  readonly sourceIdentity: string;
};

/** A session's state as it is shown. */
export type SessionStatus = 'active' | 'revoked' | 'expired' | 'unknown';

/**
 * A row of the table: the session, the state that the row says, and whether the TVM itself wrote
 * it.
 */
export type SessionRow = {
  readonly session: Session;
  readonly status: 'active' | 'revoked' | 'expired';
  readonly genuine: boolean;
  /** Who revoked the session and why; undefined unless it was revoked. */
  readonly revokedBy: string | undefined;
  readonly revokedReason: string | undefined;
};

/** How much longer than its session a row stays, for those who ask later. */
const KEPT = 30 * 24 * HOUR;

/** The longest that `SENTINEL_SESSION_LIFE` may be: no older row is of a live session. */
export const LONGEST_SESSION = 24 * HOUR;

/** How old a row can be: DynamoDB may take some days to delete what has expired. */
export const OLDEST_ROW = KEPT + LONGEST_SESSION + 3 * 24 * HOUR;

/**
 * Into how many parts the rows of a day are split, so that no one partition of an index takes all
 * writes.
 */
const SHARDS = 16;

/** The UTC day of a moment, `2026-01-02`. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** The names of a day's shards, which are the keys of the index `gsi-shard`. */
export function shardsOf(day: string): readonly string[] {
  return Array.from({ length: SHARDS }, (_, shard) => `${day}#${shard}`);
}

/** The shard of a session, by its id, whose digits are evenly spread. */
function shardOf({ id, startedAt }: Session): string {
  return `${dayOf(startedAt)}#${Number.parseInt(id.slice(0, 1), 16)}`;
}

/** What rows are signed for; see `subkey`. */
const PURPOSE = 'session row';

/**
 * The id of a key's slot: the item of the guard table in which all instances find the key's
 * session.
 */
export function slotId({ subject, profile, label, grant }: SessionKey): string {
  // What rests on policy alone has the slot that it had before there were approvals.
  const text = JSON.stringify([subject, profile, label, ...(grant === '' ? [] : [grant])]);
  return `session#${createHash('sha256').update(text).digest('hex')}`;
}

/**
 * The id of a session of this slot that opens now. Every instance computes the same one, so that
 * instances that open it at the same moment agree before DynamoDB decides, and also while it
 * cannot. Nobody but the TVM can compute it.
 *
 * @param life how long sessions live, in milliseconds
 * @param now epoch milliseconds
 */
export function proposeSessionId(
  slot: string,
  keys: SealingKeys,
  life: number,
  now: number,
): string {
  const sealing = activeSealingKey(keys, now);
  if (sealing === undefined) return newHexId();
  const period = Math.floor(now / life);
  return createHmac('sha256', subkey(sealing, 'session id'))
    .update(`${period}\n${slot}`)
    .digest('hex')
    .slice(0, 16);
}

/**
 * What a row's signature covers: everything that matters to whoever relies on the status `active`.
 */
function signedParts(session: Session) {
  const { id, subject, principal, user, account, profile, label, startedAt, endsAt, grant } =
    session;
  const parts = [id, subject, principal, user, account, profile, label, startedAt, endsAt];
  return grant === '' ? parts : [...parts, grant];
}

/** Signs a session's row; undefined where there is no sealing key. `now` in epoch milliseconds. */
export function signSession(session: Session, keys: SealingKeys, now: number): string | undefined {
  const sealing = activeSealingKey(keys, now);
  return sealing === undefined ? undefined : signRow(sealing, PURPOSE, signedParts(session));
}

/**
 * The row of a session, with Sentinel's attribute names and the TVM's own. `instance` is this
 * server's id.
 */
export function toSessionItem(session: Session, signature: string, instance: string): Item {
  const { startedAt, endsAt, lastAccessAt } = session;
  return attributes({
    id: session.id,
    user: session.user,
    profile: session.profile,
    server_instance_id: instance,
    status: 'active',
    started_at: isoTime(startedAt),
    last_access_at: isoTime(lastAccessAt),
    expires_at: isoTime(endsAt),
    request_count: session.requestCount,
    source_identity: session.sourceIdentity,
    created_at: isoTime(startedAt),
    updated_at: isoTime(lastAccessAt),
    shard: shardOf(session),
    subject: session.subject,
    principal: session.principal,
    account: session.account,
    session_label: session.label,
    grant_id: session.grant === '' ? undefined : session.grant,
    signature,
    ttl: toTtl(endsAt + KEPT),
  });
}

function text(item: Item, name: string): string {
  return textAt(item, name) ?? '';
}

function time(item: Item, name: string): number {
  return timeAt(item, name) ?? 0;
}

/**
 * Reads a row that anybody may have written; undefined if it is no session. What it lacks reads as
 * empty.
 */
export function toSessionRow(item: Item, keys: SealingKeys): SessionRow | undefined {
  const id = text(item, 'id');
  const status = text(item, 'status');
  if (id === '' || (status !== 'active' && status !== 'revoked' && status !== 'expired'))
    return undefined;
  const session: Session = {
    id,
    subject: text(item, 'subject'),
    principal: text(item, 'principal'),
    user: text(item, 'user'),
    account: text(item, 'account'),
    profile: text(item, 'profile'),
    label: text(item, 'session_label'),
    grant: text(item, 'grant_id'),
    startedAt: time(item, 'started_at'),
    endsAt: time(item, 'expires_at'),
    lastAccessAt: time(item, 'last_access_at'),
    requestCount: numberAt(item, 'request_count') ?? 0,
    sourceIdentity: text(item, 'source_identity'),
  };
  return {
    session,
    status,
    genuine: isSignedRow(text(item, 'signature'), keys, PURPOSE, signedParts(session)),
    revokedBy: text(item, 'revoked_by') || undefined,
    revokedReason: text(item, 'revoked_reason') || undefined,
  };
}
