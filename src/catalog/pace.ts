import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';

/** From one beginning to the next: with jitter and a reading of 2 s, a change is everywhere within 15 s. */
const REFRESH = 11 * SECOND;

/** Up to so many parameters the promise of 15 s holds, and a reading goes as fast as it can. */
const PROMPT = 1_000;

/**
 * Beyond that an instance makes four calls a second on average, and eight within a reading: SSM's 40 a second for
 * values are the whole account's, and its limit for listings is not even written down.
 * https://docs.aws.amazon.com/general/latest/gr/ssm.html
 */
const PER_PAGE = 0.25 * SECOND;
const GAP = 0.125 * SECOND;

/**
 * Neither may outgrow the life of what was read: together, with jitter, they stay below three quarters of it. This
 * comes before all sparing of SSM.
 */
const REFRESH_SHARE = 0.4;
const READING_SHARE = 0.3;

/** So many calls of a reading need not wait for their turn. */
const BURST = 30;

/** How large the catalog was when it was last read. */
export type CatalogSize = {
  readonly parameters: number;
  /** Pages of SSM that the next listing takes. */
  readonly pages: number;
};

/** How long after the beginning of one reading the next begins, before jitter, in milliseconds. */
export function refreshInterval({ parameters, pages }: CatalogSize, maxAge: number): number {
  const wanted = parameters <= PROMPT ? REFRESH : Math.max(REFRESH, pages * PER_PAGE);
  return Math.min(wanted, maxAge * REFRESH_SHARE);
}

/** The pause between two calls of one reading, in milliseconds; 0 for as fast as they go. */
export function callGap({ parameters, pages }: CatalogSize, maxAge: number): number {
  if (parameters <= PROMPT) return 0;
  return Math.min(GAP, (maxAge * READING_SHARE) / pages);
}

/** Makes calls wait for their turn: a burst is free, then one each `gap` milliseconds. */
export function createTurns(gap: number, clock: Clock, sleep: (ms: number) => Promise<unknown>): () => Promise<void> {
  let free = clock() - BURST * gap;
  async function turns() {
    const now = clock();
    free = Math.max(free, now - BURST * gap) + gap;
    if (free > now) await sleep(Math.min(free - now, MINUTE));
  }

  return turns;
}
