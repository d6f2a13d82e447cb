import type { Clock } from './clock.ts';

/** A moment, on both clocks of the machine. */
export type Moment = { readonly monotonic: number; readonly wall: number };

/**
 * Measures ages by the larger of what two clocks say, so that nothing is ever taken for younger
 * than it is. Setting the wall clock back makes nothing younger, because the monotonic clock goes
 * on; and when a process is frozen together with its monotonic clock, the wall clock goes on.
 */
export type Stopwatch = {
  readonly now: () => Moment;
  /** Milliseconds since a moment; infinitely many since undefined, a moment that never was. */
  readonly since: (moment: Moment | undefined) => number;
};

/** A stopwatch on these clocks. */
export function createStopwatch(clock: Clock, monotonic: Clock): Stopwatch {
  function now(): Moment {
    return { monotonic: monotonic(), wall: clock() };
  }

  function since(moment: Moment | undefined): number {
    return moment === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(monotonic() - moment.monotonic, clock() - moment.wall, 0);
  }

  return { now, since };
}
