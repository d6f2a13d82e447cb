import { ok, type Result } from '../lib/result.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import type { LabelsFull } from './label-places.ts';
import type { Session } from './session.ts';
import type { SessionStore } from './store.ts';

/** The session to open, and what is known about its key. Times in epoch milliseconds. */
export type Opening = {
  readonly proposed: Session;
  readonly keys: SealingKeys;
  readonly now: number;
  /** A session that ends at this moment or before counts as ended. */
  readonly deadline: number;
  /** The id of a session of this key that has turned out to have ended. */
  readonly instead: string | undefined;
};

/** Opens the session, or finds the one that is open. Rejects when DynamoDB fails. */
export type OpenSession = (opening: Opening) => Promise<Result<Session, LabelsFull>>;

/**
 * Opens sessions, or finds those that are open. A session with a label takes a place for the label
 * first, and is refused if there is none; a session without a label is never refused.
 */
export function createOpenSession(
  store: Pick<SessionStore, 'current' | 'open' | 'takePlace'>,
): OpenSession {
  return async function openSession({ proposed, keys, now, deadline, instead }) {
    if (proposed.label === '') return ok(await store.open(proposed, keys, deadline, instead));
    // An open session has its place already, and keeps it until its own end, not the proposed one.
    const current = await store.current(proposed, keys, deadline, instead);
    if (current !== undefined) return ok(current);
    const place = await store.takePlace(proposed, now);
    return place.ok ? ok(await store.open(proposed, keys, deadline, instead)) : place;
  };
}
