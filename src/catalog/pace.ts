import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';

/**
 * From the beginning of a reading to that of the next: with jitter and 2 s to read, a change takes
 * effect within 15 s.
 */
const REFRESH = 11 * SECOND;

/** Parameters up to which the 15 s are promised, and readings are not paced. */
const PROMPT = 1_000;

/**
 * With more parameters an instance makes four calls a second on average, and eight during a
 * reading, because SSM's limit of 40 calls a second for values is for the whole account, and its
 * limit for listings is not documented. https://docs.aws.amazon.com/general/latest/gr/ssm.html
 */
const PER_PAGE = 0.25 * SECOND;
const GAP = 0.125 * SECOND;

/**
 * The most that the interval and a paced reading may take of a snapshot's life: together, with
 * jitter, less than three quarters. That matters more than sparing SSM.
 */
const REFRESH_SHARE = 0.4;
const READING_SHARE = 0.3;

/** Calls of a reading that are made at once, before the others are paced. */
const BURST = 30;

/** The size of the catalog at the last reading. */
export type CatalogSize = {
  readonly parameters: number;
  /** Pages of SSM that the next listing takes. */
  readonly pages: number;
};

/**
 * The time from the beginning of one reading to that of the next, without jitter, in milliseconds.
 */
export function refreshInterval({ parameters, pages }: CatalogSize, maxAge: number): number {
  const wanted = parameters <= PROMPT ? REFRESH : Math.max(REFRESH, pages * PER_PAGE);
  return Math.min(wanted, maxAge * REFRESH_SHARE);
}

/** The pause between two calls of one reading, in milliseconds; 0 if they are not paced. */
export function callGap({ parameters, pages }: CatalogSize, maxAge: number): number {
  if (parameters <= PROMPT) return 0;
  return Math.min(GAP, (maxAge * READING_SHARE) / pages);
}

/**
 * Makes the function that lets a call wait for its turn: a burst goes at once, then one call each
 * `gap` milliseconds.
 */
export function createTurns(
  gap: number,
  clock: Clock,
  sleep: (ms: number) => Promise<unknown>,
): () => Promise<void> {
  /** When the next call may be made. */
  let free = clock() - BURST * gap;
  async function waitForTurn(): Promise<void> {
    const now = clock();
    free = Math.max(free, now - BURST * gap) + gap;
    if (free > now) await sleep(Math.min(free - now, MINUTE));
  }

  return waitForTurn;
}
