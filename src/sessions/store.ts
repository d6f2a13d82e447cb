import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, textAt, toTtl } from '../aws/attributes.ts';
import { deleteIf, putIf, readItem } from '../aws/table.ts';
import { HOUR, SECOND } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import { activeSealingKey, type SealingKeys } from '../lib/sealing.ts';
import { createLabelPlaces } from './label-places.ts';
import { createSessionUpdates } from './updates.ts';
import {
  signSession,
  slotId,
  toSessionItem,
  toSessionRow,
  type Session,
  type SessionKey,
  type SessionRow,
} from './session.ts';

const DEADLINE = 3 * SECOND;

/** DynamoDB may forget a slot only when nobody can take it for a live one. */
const SLOT_KEPT = HOUR;

/** A slot that others take and free all the time is not worth more. */
const MAX_ATTEMPTS = 5;

const NO_KEY = 'there is no sealing key to sign sessions with';

/** The tables' names, and the id of this instance. */
type Place = { readonly sessions: string; readonly guard: string; readonly instance: string };

/** The same session under an id that nobody can have used. */
function renamed(session: Session, keys: SealingKeys, now: number) {
  const other = { ...session, id: newHexId() };
  return { session: other, signature: signSession(other, keys, now) ?? '' };
}

/**
 * Sessions in DynamoDB. The slot in the guard table decides which session is the one of a key, by conditional write; the
 * row in the sessions table is what others read. All writes are conditional.
 *
 *     A  put slot if absent or ended ── mine ── put row
 *     B          put slot ── there, of A ── read it ── A's session
 */
export function createSessionStore(client: DynamoDBClient, place: Place) {
  const { instance } = place;
  const sessions = { client, name: place.sessions, deadline: DEADLINE };
  const guard = { client, name: place.guard, deadline: DEADLINE };
  const places = createLabelPlaces(client, place.guard);

  /** Takes the slot of a session's key: if it is free, if its session has ended by `now`, or if it is that of `instead`. */
  async function takeSlot(
    session: Session,
    signature: string,
    now: number,
    instead: string | undefined,
  ): Promise<boolean> {
    const { id, endsAt } = session;
    const own = attributes({ id: slotId(session), session: id, ends: endsAt, ttl: toTtl(endsAt + SLOT_KEPT) });
    const item = { ...toSessionItem(session, signature, instance), ...own };
    const outcome = await putIf(guard, item, {
      condition: 'attribute_not_exists(#s) OR ends <= :now OR (#s = :own AND ends = :ends) OR #s = :instead',
      names: { '#s': 'session' },
      // No session has the id "-".
      values: attributes({ ':now': now, ':own': id, ':ends': endsAt, ':instead': instead ?? '-' }),
    });
    return outcome === 'done';
  }

  /** Puts the row of a session; `there` if one of its id is there already. */
  async function putRow(session: Session, signature: string): Promise<'put' | 'there'> {
    const item = toSessionItem(session, signature, instance);
    // Refused: the SDK's own second try, or another instance that found the slot without its row.
    const outcome = await putIf(sessions, item, { condition: 'attribute_not_exists(id)' });
    return outcome === 'done' ? 'put' : 'there';
  }

  /** Whether the row of an id is that of this very session, and nothing has ended it. */
  async function isAlive({ id, subject, profile, label, endsAt }: Session, keys: SealingKeys): Promise<boolean> {
    const item = await readItem(sessions, id);
    const row = item === undefined ? undefined : toSessionRow(item, keys);
    if (row?.genuine !== true || row.status !== 'active') return false;
    const { session } = row;
    return (
      session.subject === subject && session.profile === profile && session.label === label && session.endsAt === endsAt
    );
  }

  /** What stands in a slot: the id of a session, and the session itself if the slot is the TVM's own work. */
  async function readSlot(
    id: string,
    keys: SealingKeys,
  ): Promise<{ readonly named: string | undefined; readonly session: Session | undefined }> {
    const item = await readItem(guard, id);
    const named = textAt(item, 'session');
    if (item === undefined || named === undefined) return { named, session: undefined };
    const row = toSessionRow({ ...item, ...attributes({ id: named }) }, keys);
    return { named, session: row?.genuine === true && slotId(row.session) === id ? row.session : undefined };
  }

  /**
   * What stands in the slot of a session's key: which session, and that session itself if it may be continued. Its row is
   * written if whoever opened it died before.
   *
   * @param instead the id of a session that is none any more
   */
  async function readCurrent(of: SessionKey, keys: SealingKeys, now: number, instead: string | undefined) {
    const { named, session } = await readSlot(slotId(of), keys);
    if (session === undefined || session.endsAt <= now || session.id === instead) return { named, session: undefined };
    const signature = signSession(session, keys, now);
    if (signature !== undefined) await putRow(session, signature);
    return { named, session };
  }

  /** The session of a key that is open, if there is one. Rejects as `open` does, whose parameters these are. */
  async function current(
    key: SessionKey,
    keys: SealingKeys,
    now: number,
    instead: string | undefined,
  ): Promise<Session | undefined> {
    if (activeSealingKey(keys, now) === undefined) throw new Error(NO_KEY);
    return (await readCurrent(key, keys, now, instead)).session;
  }

  /**
   * Opens a session for its key, or finds the one that is open. Rejects when DynamoDB fails, or when there is no sealing
   * key: a row that nobody can recognise helps nobody.
   *
   * @param instead the id of a session of this key that has turned out to be none any more
   */
  async function open(proposed: Session, keys: SealingKeys, now: number, instead?: string): Promise<Session> {
    const signature = signSession(proposed, keys, now);
    if (signature === undefined) throw new Error(NO_KEY);
    let wanted = { session: proposed, signature };
    let replaced = instead;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      if (await takeSlot(wanted.session, wanted.signature, now, replaced)) {
        const isNew = (await putRow(wanted.session, wanted.signature)) === 'put';
        if (isNew || (await isAlive(wanted.session, keys))) return wanted.session;
        // A session of this id has been and ended, in the same period: this is another.
        replaced = wanted.session.id;
        wanted = renamed(wanted.session, keys, now);
        continue;
      }
      const { named, session } = await readCurrent(proposed, keys, now, instead);
      if (session !== undefined) return session;
      // What stands there is not the TVM's work, or nobody's any more: it decides nothing.
      replaced = named ?? instead;
    }
    throw new Error('the slot of a session is taken by others again and again');
  }

  /**
   * Frees the slot of a session, so that a later vend opens another, and the place of its label; does nothing to what
   * is another's by now.
   */
  async function free(session: Session): Promise<void> {
    await deleteIf(guard, slotId(session), {
      condition: '#s = :own',
      names: { '#s': 'session' },
      values: attributes({ ':own': session.id }),
    });
    if (session.label !== '') await places.free(session);
  }

  /** A row by its id, read consistently. */
  async function read(id: string, keys: SealingKeys): Promise<SessionRow | undefined> {
    const item = await readItem(sessions, id);
    return item === undefined ? undefined : toSessionRow(item, keys);
  }

  return {
    current,
    open,
    ...createSessionUpdates(
      client,
      place.sessions,
    ) /** Takes a place for the label of a session that is about to open. */,
    takePlace: places.take,
    free,
    read,
  };
}

export type SessionStore = ReturnType<typeof createSessionStore>;
