import { setTimeout as sleep } from 'node:timers/promises';
import { SECOND } from '../lib/clock.ts';
import type { RevocationLog } from './log.ts';

/**
 * How long a writer waits for entries that another instance has announced; then it fills their
 * numbers with `void`.
 */
const ANNOUNCED = 0.5 * SECOND;

/** The pause between two looks for them. */
const LOOK = 0.03 * SECOND;

/** How many announced entries are looked for one by one; for more the head is read instead. */
const FEW = 10;

/** Constructs what looks after the numbers that other writers have announced. */
export function createFillAnnounced(log: RevocationLog) {
  /** The announced numbers that are not there yet: a few are read one by one, else the head. */
  async function stillMissing(announced: readonly number[]): Promise<readonly number[]> {
    if (announced.length > FEW) {
      const head = await log.readHead();
      return head.genuine ? announced.filter((n) => n > head.n) : announced;
    }
    const items = await Promise.all(announced.map((n) => log.readPatiently(n)));
    return announced.filter((_, index) => items[index] === undefined);
  }

  /**
   * Waits for entries that others have announced, and fills the numbers of those that do not come.
   */
  async function fillAnnounced(announced: ReadonlySet<number>): Promise<void> {
    let missing: readonly number[] = [...announced];
    for (let waited = 0; missing.length > 0; waited += LOOK) {
      missing = await stillMissing(missing);
      if (missing.length === 0) return;
      if (waited >= ANNOUNCED) break;
      await sleep(LOOK);
    }
    await Promise.all(missing.map((n) => log.silence(n, undefined)));
  }

  return fillAnnounced;
}
