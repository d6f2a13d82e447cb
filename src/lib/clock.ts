/**
 * Milliseconds since the Unix epoch. Every pure check takes such a number instead of asking a
 * clock.
 */
export type Clock = () => number;

/** The machine's clock. */
export const systemClock: Clock = () => Date.now();

/**
 * Milliseconds since some moment, for ages and pauses: a change of the machine's time does not move
 * it.
 */
export const monotonicClock: Clock = () => performance.now();

/**
 * A monotonic clock for a process that AWS Lambda freezes and thaws. Where the wall clock advanced
 * further than the monotonic one, the wall clock counts, so that nothing looks younger than it is.
 * Setting the wall clock back changes nothing.
 */
export function createThawClock(
  monotonic: Clock = monotonicClock,
  wall: Clock = systemClock,
): Clock {
  let now = 0;
  let [lastMonotonic, lastWall] = [monotonic(), wall()];
  function thawClock() {
    const [nowMonotonic, nowWall] = [monotonic(), wall()];
    now += Math.max(nowMonotonic - lastMonotonic, nowWall - lastWall);
    [lastMonotonic, lastWall] = [nowMonotonic, nowWall];
    return now;
  }

  return thawClock;
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/**
 * Formats epoch milliseconds as `2026-01-02T03:04:05Z`; the fraction of the second is cut off,
 * never rounded up.
 */
export function formatInstant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
