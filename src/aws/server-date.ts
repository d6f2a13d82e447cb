import { systemClock, type Clock } from '../lib/clock.ts';

/**
 * So many answers are looked back on, so that one that was late, or out of a cache, says nothing.
 */
const REMEMBERED = 5;

/** How the machine's clock compares with AWS's. */
export type ServerDate = {
  /** Takes the `Date` of an answer; anything that is no date is passed over. */
  readonly note: (date: unknown) => void;
  /**
   * Milliseconds by which the machine's clock is ahead, to about a second; undefined before the
   * first answers.
   */
  readonly skew: () => number | undefined;
};

/**
 * Compares the machine's clock with the `Date` header of AWS's answers: of the last few, the one
 * that is nearest counts.
 *
 * @param wall the clock of the machine itself, whatever decisions are made by
 */
export function createServerDate(wall: Clock = systemClock): ServerDate {
  const skews: number[] = [];

  function note(date: unknown): void {
    const there = typeof date === 'string' ? Date.parse(date) : Number.NaN;
    if (Number.isNaN(there)) return;
    skews.push(wall() - there);
    if (skews.length > REMEMBERED) skews.shift();
  }

  function skew(): number | undefined {
    return skews.length < REMEMBERED
      ? undefined
      : skews.toSorted((a, b) => Math.abs(a) - Math.abs(b))[0];
  }

  return { note, skew };
}
