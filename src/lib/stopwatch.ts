import type { Clock } from './clock.ts';

/** A moment, on both clocks of the machine. */
export type Moment = { readonly monotonic: number; readonly wall: number };

/**
 * Measures ages. A clock that is set back makes nothing younger, for the monotonic one goes on; a process that was
 * frozen together with its monotonic clock is as old as the wall clock says. The larger of the two counts, so that what
 * is known is never thought younger than it is.
 */
export type Stopwatch = {
  readonly now: () => Moment;
  /** Milliseconds since then; without end since undefined, which is a moment that never was. */
  readonly since: (moment: Moment | undefined) => number;
};

/** A stopwatch on these clocks. */
export function createStopwatch(clock: Clock, monotonic: Clock): Stopwatch {
  function now() {
    return { monotonic: monotonic(), wall: clock() };
  }

  function since(moment: Moment | undefined): number {
    return moment === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(monotonic() - moment.monotonic, clock() - moment.wall, 0);
  }

  return { now, since };
}
