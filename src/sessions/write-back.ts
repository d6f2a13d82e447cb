import type { Clock } from '../lib/clock.ts';
import type { LiveSessions } from './live-sessions.ts';
import type { SessionStore } from './store.ts';

/** How many rows are written at a time at the end of the process, which has to be over soon. */
const FLUSH_WIDTH = 32;

type Options = {
  readonly store: Pick<SessionStore, 'touch' | 'expire'>;
  readonly live: LiveSessions;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
};

/** Writes into the rows what is known of sessions in memory, where no use of them does. */
export function createWriteBack({ store, live, clock, onFault }: Options) {
  /** Writes the uses that rows lack. */
  async function flush(): Promise<void> {
    const dirty = [...live.entries()]
      .map(([, entry]) => entry)
      .filter(({ unwritten }) => unwritten > 0);
    const workers = Array.from({ length: FLUSH_WIDTH }, async () => {
      for (let entry = dirty.pop(); entry !== undefined; entry = dirty.pop()) {
        await store.touch(entry.id, entry.lastAccessAt, entry.unwritten);
      }
    });
    await Promise.all(workers).catch(onFault);
  }

  /** Writes into the rows of sessions that have ended by themselves that they have. */
  async function sweep(): Promise<void> {
    const now = clock();
    for (const [slot, { id, endsAt, unwritten }] of live.entries()) {
      if (now < endsAt) continue;
      live.drop(slot, id);
      try {
        await store.expire(id, now, unwritten);
      } catch (error) {
        onFault(error);
        return;
      }
    }
  }

  return { flush, sweep };
}
