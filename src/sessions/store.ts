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

/** How long one call of DynamoDB may take, its retries included. */
const DEADLINE = 3 * SECOND;

/**
 * How long a slot stays after the end of its session: no clock that is behind may still take the
 * session for live.
 */
const SLOT_KEPT = HOUR;

/**
 * How many tries opening a session gets: each fails only if another instance has just taken or
 * freed the slot.
 */
const MAX_ATTEMPTS = 5;

const NO_KEY = 'there is no sealing key to sign sessions with';

/** The names of the tables, and the id of this instance. */
type Place = { readonly sessions: string; readonly guard: string; readonly instance: string };

/** The same session under a new random id. */
function renamed(session: Session, keys: SealingKeys, now: number) {
  const other = { ...session, id: newHexId() };
  return { session: other, signature: signSession(other, keys, now) ?? '' };
}

/**
 * Sessions in DynamoDB. The slot in the guard table decides, by a conditional write, which session
 * a key has; the row in the sessions table is for readers. All writes are conditional.
 *
 *     A  put slot if absent or ended ── mine ── put row
 *     B          put slot ── there, of A ── read it ── A's session
 */
export function createSessionStore(client: DynamoDBClient, place: Place) {
  const { instance } = place;
  const sessions = { client, name: place.sessions, deadline: DEADLINE };
  const guard = { client, name: place.guard, deadline: DEADLINE };
  const places = createLabelPlaces(client, place.guard);

  /**
   * Takes the slot of a session's key if it is free, if its session has ended by `now`, or if its
   * session is `instead`.
   */
  async function takeSlot(
    session: Session,
    signature: string,
    now: number,
    instead: string | undefined,
  ): Promise<boolean> {
    const { id, endsAt } = session;
    const own = attributes({
      id: slotId(session),
      session: id,
      ends: endsAt,
      ttl: toTtl(endsAt + SLOT_KEPT),
    });
    const item = { ...toSessionItem(session, signature, instance), ...own };
    const outcome = await putIf(guard, item, {
      condition:
        'attribute_not_exists(#s) OR ends <= :now OR (#s = :own AND ends = :ends) OR #s = :instead',
      names: { '#s': 'session' },
      // No session has the id "-".
      values: attributes({ ':now': now, ':own': id, ':ends': endsAt, ':instead': instead ?? '-' }),
    });
    return outcome === 'done';
  }

  /** Puts the row of a session; `there` if there is one of its id already. */
  async function putRow(session: Session, signature: string): Promise<'put' | 'there'> {
    const item = toSessionItem(session, signature, instance);
    // Refused after the SDK's own second try, or when another instance found the slot without its
    // row and put it.
    const outcome = await putIf(sessions, item, { condition: 'attribute_not_exists(id)' });
    return outcome === 'done' ? 'put' : 'there';
  }

  /** Whether the row of a session's id is of this very session, and the session has not ended. */
  async function isAlive(
    { id, subject, profile, label, endsAt }: Session,
    keys: SealingKeys,
  ): Promise<boolean> {
    const item = await readItem(sessions, id);
    const row = item === undefined ? undefined : toSessionRow(item, keys);
    if (row?.genuine !== true || row.status !== 'active') return false;
    const { session } = row;
    return (
      session.subject === subject &&
      session.profile === profile &&
      session.label === label &&
      session.endsAt === endsAt
    );
  }

  /** Reads a slot: the id of a session, and the session itself if the TVM signed the slot. */
  async function readSlot(
    id: string,
    keys: SealingKeys,
  ): Promise<{ readonly named: string | undefined; readonly session: Session | undefined }> {
    const item = await readItem(guard, id);
    const named = textAt(item, 'session');
    if (item === undefined || named === undefined) return { named, session: undefined };
    const row = toSessionRow({ ...item, ...attributes({ id: named }) }, keys);
    return {
      named,
      session: row?.genuine === true && slotId(row.session) === id ? row.session : undefined,
    };
  }

  /**
   * Reads the slot of a key: the id of its session, and the session itself if it may be continued.
   * Writes the session's row, in case the instance that opened it died before it did.
   *
   * @param instead the id of a session that has ended
   */
  async function readCurrent(
    of: SessionKey,
    keys: SealingKeys,
    now: number,
    instead: string | undefined,
  ) {
    const { named, session } = await readSlot(slotId(of), keys);
    if (session === undefined || session.endsAt <= now || session.id === instead)
      return { named, session: undefined };
    const signature = signSession(session, keys, now);
    if (signature !== undefined) await putRow(session, signature);
    return { named, session };
  }

  /** The open session of a key, if there is one. Parameters and rejections are those of `open`. */
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
   * Opens a session for its key, or finds the one that is open. Rejects when DynamoDB fails, or
   * when there is no sealing key, because nobody could recognise the row.
   *
   * @param instead the id of a session of this key that has turned out to have ended
   */
  async function open(
    proposed: Session,
    keys: SealingKeys,
    now: number,
    instead?: string,
  ): Promise<Session> {
    const signature = signSession(proposed, keys, now);
    if (signature === undefined) throw new Error(NO_KEY);
    let wanted = { session: proposed, signature };
    let replaced = instead;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      if (await takeSlot(wanted.session, wanted.signature, now, replaced)) {
        const isNew = (await putRow(wanted.session, wanted.signature)) === 'put';
        if (isNew || (await isAlive(wanted.session, keys))) return wanted.session;
        // A session of this id has already ended in this period, so the new one needs another id.
        replaced = wanted.session.id;
        wanted = renamed(wanted.session, keys, now);
        continue;
      }
      const { named, session } = await readCurrent(proposed, keys, now, instead);
      if (session !== undefined) return session;
      // The slot was not written by the TVM, or its session has ended: it may be replaced.
      replaced = named ?? instead;
    }
    throw new Error('the slot of a session is taken by others again and again');
  }

  /**
   * Frees the slot of a session, so that the next vend opens another, and the place of its label.
   * Leaves alone what belongs to another session by now.
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

  const { touch, expire, revoke } = createSessionUpdates(client, place.sessions);
  return { current, open, touch, expire, revoke, takePlace: places.take, free, read };
}

/**
 * Reads and writes sessions in DynamoDB; `takePlace` takes a place for the label of a session that
 * is about to open.
 */
export type SessionStore = ReturnType<typeof createSessionStore>;
