import { monotonicClock, type Clock } from './clock.ts';

/** A timer that takes this many times as long as it was set for means that this process is busy. */
const BUSY = 1.25;

/** How many times a wait is made at most: once, and twice more while the process is busy. */
const ROUNDS = 3;

/**
 * Waits `ms` milliseconds and then calls `giveUp`, once. A busy process comes late to its timers
 * and to the answers that lie ready, which is no fault of whoever answers: a timer that is late
 * starts the wait again, twice at most. One turn of the event loop passes before each decision, so
 * that an answer that lies ready is seen first.
 *
 * @returns a function that ends the wait; `giveUp` is not called after it
 */
export function waitPatiently(
  ms: number,
  giveUp: () => void,
  monotonic: Clock = monotonicClock,
): () => void {
  let timer: NodeJS.Timeout;
  let turn: NodeJS.Immediate | undefined;
  let round = 0;

  function startRound(): void {
    round += 1;
    const begun = monotonic();
    function decide(): void {
      const isBusy = monotonic() - begun > ms * BUSY;
      if (isBusy && round < ROUNDS) startRound();
      else giveUp();
    }
    timer = setTimeout(() => {
      turn = setImmediate(decide);
    }, ms);
  }

  function stop(): void {
    clearTimeout(timer);
    clearImmediate(turn);
  }

  startRound();
  return stop;
}

/**
 * The value of a promise, or undefined if the promise takes longer than `ms` (see {@link
 * waitPatiently}).
 */
export async function withPatience<Value>(
  promise: Promise<Value>,
  ms: number,
  monotonic: Clock = monotonicClock,
): Promise<Value | undefined> {
  let stop: (() => void) | undefined;
  const late = new Promise<undefined>((resolve) => {
    stop = waitPatiently(ms, () => resolve(undefined), monotonic);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop?.();
  }
}
