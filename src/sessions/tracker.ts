import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { withPatience } from '../lib/patience.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import type { LabelsFull } from './label-places.ts';
import { createLiveSessions, type Live } from './live-sessions.ts';
import type { OpenSession } from './open-session.ts';
import { proposeSessionId, slotId, type Session } from './session.ts';
import type { SessionStore } from './store.ts';
import type { SessionRefusal, SessionUse, Tracked } from './use.ts';
import { createWriteBack } from './write-back.ts';

export type { Tracked } from './use.ts';

/** The time between two writes of a row while its session is used. */
const TOUCH = 15 * MINUTE;

/** How soon a write that failed is tried again. */
const TOUCH_AGAIN = 1 * MINUTE;

/**
 * How long a vend waits for its session's row, longer in a busy process; then it goes on without,
 * where it may.
 */
const PATIENCE = 0.2 * SECOND;

/**
 * A session with less time left is not continued: credentials vended under it would be of no use.
 */
const MARGIN = 1 * MINUTE;

/** The sessions that this instance serves. */
export type SessionTracker = {
  /**
   * Opens a session or continues it. Refuses if the row is required and cannot be written, or if a
   * session needs a new label and the subject has too many on the profile.
   */
  readonly use: (use: SessionUse, keys: SealingKeys) => Promise<Result<Tracked, SessionRefusal>>;
  /**
   * Forgets a session that has been ended or revoked, here or elsewhere: the next vend opens
   * another.
   */
  readonly forget: (id: string) => void;
  /** Writes the uses that rows lack; for the end of the process. Never rejects. */
  readonly flush: () => Promise<void>;
  /**
   * Writes into the rows of sessions that have ended by themselves that they have. Never rejects.
   */
  readonly sweep: () => Promise<void>;
  readonly size: () => number;
};

type Options = {
  readonly store: Pick<SessionStore, 'touch' | 'expire'>;
  readonly openSession: OpenSession;
  readonly clock: Clock;
  /** How long a session lives, in milliseconds. */
  readonly life: number;
  /** How many sessions are kept in memory; beyond that the one used longest ago is forgotten. */
  readonly capacity: number;
  readonly onOpen: (session: Session) => void;
  readonly onFault: (error: unknown) => void;
};

/**
 * A session that ends with an approval is of use to its last second: there is no other to take its
 * place.
 */
function marginOf({ endsBy }: SessionUse): number {
  return endsBy === undefined ? MARGIN : 0;
}

type Opened = Result<Live, LabelsFull>;

/**
 * Keeps the sessions that this instance serves in memory, so that a vend of a known session reads
 * nothing. The row is written when a session opens, at most every 15 minutes while it is used, and
 * at its end. `kill -9` loses the number of requests since the last write and the time of the last
 * one, never a session or a revocation.
 */
export function createSessionTracker(options: Options): SessionTracker {
  const { store, openSession, clock, life, capacity, onOpen, onFault } = options;
  const live = createLiveSessions(capacity);
  const { flush, sweep } = createWriteBack({ store, live, clock, onFault });
  /** The openings under way, by slot: vends that come meanwhile join them. */
  const opening = new Map<
    string,
    { readonly proposed: Session; readonly opened: Promise<Opened> }
  >();

  function open(
    use: SessionUse,
    keys: SealingKeys,
    slot: string,
    instead?: string,
  ): Promise<Opened> {
    const underWay = opening.get(slot);
    // A vend that comes while the session opens is the session's next use.
    if (underWay !== undefined)
      return underWay.opened.then((entry) =>
        entry.ok ? advance(use, keys, slot, live.peek(slot) ?? entry.value) : entry,
      );
    const now = clock();
    const proposed = propose(use, keys, slot, now);
    // A session that is about to end counts as ended, so that it is replaced in time.
    const opened = openSession({ proposed, keys, now, deadline: now + marginOf(use), instead })
      .then((outcome): Opened => {
        if (!outcome.ok) return outcome;
        const session = outcome.value;
        const isOurs = session.id === proposed.id && session.startedAt === proposed.startedAt;
        const entry: Live = {
          ...session,
          writtenAt: isOurs ? now : session.lastAccessAt,
          unwritten: isOurs ? 0 : 1,
        };
        live.remember(slot, entry);
        if (isOurs) onOpen(session);
        return ok(entry);
      })
      .finally(() => opening.delete(slot));
    opening.set(slot, { proposed, opened });
    return opened;
  }

  function endOf({ endsBy }: SessionUse, now: number): number {
    return Math.min(now + life, endsBy ?? now + life);
  }

  function propose(use: SessionUse, keys: SealingKeys, slot: string, now: number): Session {
    const { key, sourceIdentity } = use;
    const id = proposeSessionId(slot, keys, life, now);
    return {
      ...key,
      id,
      startedAt: now,
      endsAt: endOf(use, now),
      lastAccessAt: now,
      requestCount: 1,
      sourceIdentity,
    };
  }

  /**
   * Counts a use. Writes it once in 15 minutes, and replaces the session if its row shows then that
   * it has ended.
   */
  async function advance(
    use: SessionUse,
    keys: SealingKeys,
    slot: string,
    entry: Live,
  ): Promise<Opened> {
    const now = clock();
    const used = { ...entry, lastAccessAt: now, unwritten: entry.unwritten + 1 };
    if (now - entry.writtenAt < TOUCH) {
      live.remember(slot, used);
      return ok(used);
    }
    // Before the write, so that the requests beside this one do not write too.
    live.remember(slot, { ...used, writtenAt: now, unwritten: 0 });
    try {
      if ((await store.touch(entry.id, now, used.unwritten)) === 'updated') return ok(used);
    } catch (error) {
      // The row exists since the opening; its being late by some minutes is no reason to stop.
      onFault(error);
      live.remember(slot, { ...used, writtenAt: now - TOUCH + TOUCH_AGAIN });
      return ok(used);
    }
    live.drop(slot, entry.id);
    return open(use, keys, slot, entry.id);
  }

  async function find(use: SessionUse, keys: SealingKeys): Promise<Opened> {
    const slot = slotId(use.key);
    const entry = live.get(slot);
    if (entry === undefined) return open(use, keys, slot);
    if (clock() + marginOf(use) < entry.endsAt) return advance(use, keys, slot, entry);
    live.drop(slot, entry.id);
    return open(use, keys, slot);
  }

  /** Finds or opens the session; refuses where `find` rejects. */
  function track(use: SessionUse, keys: SealingKeys): Promise<Result<Tracked, SessionRefusal>> {
    return find(use, keys).then(
      (opened) => (opened.ok ? ok(toTracked(opened.value)) : opened),
      (error: unknown) => {
        onFault(error);
        return refuse({ kind: 'unavailable' } as const);
      },
    );
  }

  /**
   * The session of a vend that goes on although DynamoDB has not answered in time, or has failed.
   */
  function withoutRow(use: SessionUse, keys: SealingKeys): Tracked {
    const slot = slotId(use.key);
    const known = live.peek(slot);
    if (known !== undefined) return toTracked(known);
    // All vends that wait for one opening get the id that the session will have if it opens.
    const now = clock();
    const proposed = opening.get(slot)?.proposed;
    return {
      id: proposed?.id ?? proposeSessionId(slot, keys, life, now),
      endsAt: proposed?.endsAt ?? endOf(use, now),
      tracking: 'degraded',
    };
  }

  async function use(
    wanted: SessionUse,
    keys: SealingKeys,
  ): Promise<Result<Tracked, SessionRefusal>> {
    const found = track(wanted, keys);
    if (wanted.required) return found;
    const result = await withPatience(found, PATIENCE);
    if (result !== undefined && (result.ok || result.refusal.kind === 'labels-full')) return result;
    return ok(withoutRow(wanted, keys));
  }

  return { use, forget: live.forget, flush, sweep, size: live.size };
}

function toTracked({ id, endsAt }: Session): Tracked {
  return { id, endsAt, tracking: 'tracked' };
}
