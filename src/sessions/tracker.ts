import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { createLru } from '../lib/lru.ts';
import { withPatience } from '../lib/patience.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import type { LabelsFull } from './label-places.ts';
import type { OpenSession } from './open-session.ts';
import { proposeSessionId, slotId, type Session, type SessionKey } from './session.ts';
import type { SessionStore } from './store.ts';

/** How often a session's row is written while it is used. */
const TOUCH = 15 * MINUTE;

/** When it could not be written, how soon that is tried again. */
const TOUCH_AGAIN = 1 * MINUTE;

/** How long a vend waits for its session's row, longer in a busy process; then it goes on without, where it may. */
const PATIENCE = 0.2 * SECOND;

/** A session with less left is not continued: what could be vended under it would be of no use. */
const MARGIN = 1 * MINUTE;

/** The session that a vend runs under. */
export type Tracked = {
  readonly id: string;
  /** Epoch milliseconds. */
  readonly endsAt: number;
  /** `degraded`: DynamoDB does not know of it. */
  readonly tracking: 'tracked' | 'degraded';
};

/** What a vend tells of itself. */
export type SessionUse = {
  readonly key: SessionKey;
  readonly sourceIdentity: string;
  /** Whether the vend may go on only once the row is written. */
  readonly required: boolean;
};

/** Why a vend gets no session. */
export type SessionRefusal = { readonly kind: 'unavailable' } | LabelsFull;

type Live = Session & { readonly writtenAt: number; readonly unwritten: number };

export type SessionTracker = {
  /**
   * Opens a session or continues it. Refuses only where the row is required and cannot be written, and a new label where
   * the subject has too many on the profile.
   */
  readonly use: (use: SessionUse, keys: SealingKeys) => Promise<Result<Tracked, SessionRefusal>>;
  /** Forgets a session that has been ended or revoked, here or elsewhere: the next vend opens another. */
  readonly forget: (id: string) => void;
  /** Writes what has not been written; for the end of the process. */
  readonly flush: () => Promise<void>;
  /** Writes the end of sessions that have ended by themselves. */
  readonly sweep: () => Promise<void>;
  readonly size: () => number;
};

type Options = {
  readonly store: Pick<SessionStore, 'touch' | 'expire'>;
  readonly openSession: OpenSession;
  readonly clock: Clock;
  /** How long a session lives, in milliseconds. */
  readonly life: number;
  /** How many sessions are kept in memory. */
  readonly capacity: number;
  readonly onOpen: (session: Session) => void;
  readonly onFault: (error: unknown) => void;
};

/** How many rows are written at a time at the end of the process. */
const FLUSH_WIDTH = 32;

type Opened = Result<Live, LabelsFull>;

/**
 * Keeps the sessions that this instance serves in memory, so that a vend of a known session reads nothing. The row is
 * written when a session opens, at most every 15 minutes while it is used, and at its end: what `kill -9` loses is the
 * count of requests and the time of the last of them since the last writing, never a session or a revocation.
 */
export function createSessionTracker(options: Options): SessionTracker {
  const { store, openSession, clock, life, capacity, onOpen, onFault } = options;
  const idToSlot = new Map<string, string>();
  const live = createLru<string, Live>(capacity, (_, { id }) => idToSlot.delete(id));
  const opening = new Map<string, { readonly proposed: Session; readonly opened: Promise<Opened> }>();

  function remember(slot: string, session: Live): void {
    live.set(slot, session);
    idToSlot.set(session.id, slot);
  }

  function drop(slot: string, id: string): void {
    if (live.peek(slot)?.id === id) live.delete(slot);
    idToSlot.delete(id);
  }

  function open(use: SessionUse, keys: SealingKeys, slot: string, instead?: string): Promise<Opened> {
    const underWay = opening.get(slot);
    // Who comes while it opens is its next use.
    if (underWay !== undefined)
      return underWay.opened.then((entry) =>
        entry.ok ? advance(use, keys, slot, live.peek(slot) ?? entry.value) : entry,
      );
    const now = clock();
    const proposed: Session = {
      ...use.key,
      id: proposeSessionId(slot, keys, life, now),
      startedAt: now,
      endsAt: now + life,
      lastAccessAt: now,
      requestCount: 1,
      sourceIdentity: use.sourceIdentity,
    };
    // A session that is about to end is taken for ended, so that it can be replaced before.
    const opened = openSession({ proposed, keys, now, deadline: now + MARGIN, instead })
      .then((outcome): Opened => {
        if (!outcome.ok) return outcome;
        const session = outcome.value;
        const isOurs = session.id === proposed.id && session.startedAt === proposed.startedAt;
        const entry: Live = { ...session, writtenAt: isOurs ? now : session.lastAccessAt, unwritten: isOurs ? 0 : 1 };
        remember(slot, entry);
        if (isOurs) onOpen(session);
        return ok(entry);
      })
      .finally(() => opening.delete(slot));
    opening.set(slot, { proposed, opened });
    return opened;
  }

  /** Counts a use; once in 15 minutes writes it, and notices then if the row is none any more. */
  async function advance(use: SessionUse, keys: SealingKeys, slot: string, entry: Live): Promise<Opened> {
    const now = clock();
    const used = { ...entry, lastAccessAt: now, unwritten: entry.unwritten + 1 };
    if (now - entry.writtenAt < TOUCH) {
      remember(slot, used);
      return ok(used);
    }
    // Before the write, so that the requests beside this one do not write as well.
    remember(slot, { ...used, writtenAt: now, unwritten: 0 });
    try {
      if ((await store.touch(entry.id, now, used.unwritten)) === 'updated') return ok(used);
    } catch (error) {
      // The row is there since the opening; that it is late by some minutes is no reason not to go on.
      onFault(error);
      remember(slot, { ...used, writtenAt: now - TOUCH + TOUCH_AGAIN });
      return ok(used);
    }
    drop(slot, entry.id);
    return open(use, keys, slot, entry.id);
  }

  async function find(use: SessionUse, keys: SealingKeys): Promise<Opened> {
    const slot = slotId(use.key);
    const entry = live.get(slot);
    if (entry === undefined) return open(use, keys, slot);
    if (clock() + MARGIN < entry.endsAt) return advance(use, keys, slot, entry);
    drop(slot, entry.id);
    return open(use, keys, slot);
  }

  function forget(id: string): void {
    const slot = idToSlot.get(id);
    if (slot !== undefined) drop(slot, id);
  }

  async function flush() {
    const dirty = [...live.entries()].map(([, entry]) => entry).filter(({ unwritten }) => unwritten > 0);
    const workers = Array.from({ length: FLUSH_WIDTH }, async () => {
      for (let entry = dirty.pop(); entry !== undefined; entry = dirty.pop()) {
        await store.touch(entry.id, entry.lastAccessAt, entry.unwritten);
      }
    });
    await Promise.all(workers).catch(onFault);
  }

  async function sweep() {
    const now = clock();
    for (const [slot, { id, endsAt, unwritten }] of live.entries()) {
      if (now < endsAt) continue;
      drop(slot, id);
      try {
        await store.expire(id, now, unwritten);
      } catch (error) {
        onFault(error);
        return;
      }
    }
  }

  return {
    use: async (use, keys) => {
      const found = find(use, keys).then(
        (opened): Result<Tracked, SessionRefusal> =>
          opened.ok ? ok({ id: opened.value.id, endsAt: opened.value.endsAt, tracking: 'tracked' }) : opened,
        (error: unknown): Result<Tracked, SessionRefusal> => {
          onFault(error);
          return refuse({ kind: 'unavailable' });
        },
      );
      if (use.required) return found;
      const result = await withPatience(found, PATIENCE);
      if (result !== undefined && (result.ok || result.refusal.kind === 'labels-full')) return result;
      const slot = slotId(use.key);
      const known = live.peek(slot);
      if (known !== undefined) return ok({ id: known.id, endsAt: known.endsAt, tracking: 'tracked' });
      // All who wait for one opening get the id that it will have, if it comes to pass.
      const now = clock();
      const proposed = opening.get(slot)?.proposed;
      return ok({
        id: proposed?.id ?? proposeSessionId(slot, keys, life, now),
        endsAt: proposed?.endsAt ?? now + life,
        tracking: 'degraded',
      });
    },
    forget,
    flush,
    sweep,
    size: live.size,
  };
}
