import { ok, type Result } from '../lib/result.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import type { LabelsFull } from './label-places.ts';
import type { Session } from './session.ts';
import type { SessionStore } from './store.ts';

/** What is to be opened, and what is known of it. Times in epoch milliseconds. */
export type Opening = {
  readonly proposed: Session;
  readonly keys: SealingKeys;
  readonly now: number;
  /** A session that ends at this moment or before is taken for ended. */
  readonly deadline: number;
  /** The id of a session of this key that has turned out to be none any more. */
  readonly instead: string | undefined;
};

export type OpenSession = (opening: Opening) => Promise<Result<Session, LabelsFull>>;

/**
 * Opens sessions, or finds those that are open. One with a label takes a place for it first, and is
 * refused if there is none; one without never is.
 */
export function createOpenSession(store: Pick<SessionStore, 'current' | 'open' | 'takePlace'>): OpenSession {
  return async function openSession({ proposed, keys, now, deadline, instead }) {
    if (proposed.label === '') return ok(await store.open(proposed, keys, deadline, instead));
    // What is open has its place already, until its own end and not until the proposed one.
    const current = await store.current(proposed, keys, deadline, instead);
    if (current !== undefined) return ok(current);
    const place = await store.takePlace(proposed, now);
    return place.ok ? ok(await store.open(proposed, keys, deadline, instead)) : place;
  };
}
