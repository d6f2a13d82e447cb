import { createLru } from '../lib/lru.ts';
import type { Session } from './session.ts';

/** A session in memory: when its row was last written, and how many uses the row lacks. */
export type Live = Session & { readonly writtenAt: number; readonly unwritten: number };

/** Keeps as many sessions in memory as `capacity`; beyond that forgets the one used longest ago. */
export function createLiveSessions(capacity: number) {
  const idToSlot = new Map<string, string>();
  /** Cache: slot → its session, until the session ends, is forgotten or makes room. */
  const live = createLru<string, Live>(capacity, (_, { id }) => idToSlot.delete(id));

  function remember(slot: string, session: Live): void {
    live.set(slot, session);
    idToSlot.set(session.id, slot);
  }

  function drop(slot: string, id: string): void {
    if (live.peek(slot)?.id === id) live.delete(slot);
    idToSlot.delete(id);
  }

  function forget(id: string): void {
    const slot = idToSlot.get(id);
    if (slot !== undefined) drop(slot, id);
  }

  return {
    get: live.get,
    peek: live.peek,
    entries: live.entries,
    size: live.size,
    remember,
    drop,
    forget,
  };
}

/** The sessions that an instance has in memory. */
export type LiveSessions = ReturnType<typeof createLiveSessions>;
