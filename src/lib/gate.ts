import { ok, refuse, type Result } from './result.ts';

/**
 * How many runs may be under way, how many more may wait, and for how many milliseconds; any
 * further one is refused.
 */
export type GateLimits = {
  readonly running: number;
  readonly waiting: number;
  readonly patience: number;
};

/** A run that waits; `settle` tells it, once, whether it is admitted. */
type Waiter = { readonly weight: number; readonly settle: (admitted: boolean) => void };

/**
 * Bounds how many runs are under way. When all places are taken, further runs wait in a line: the
 * lightest first, and among equals the first to come. When the line is full, a lighter run takes
 * the place of the heaviest that waits. A run that finds no place, or waits too long, is refused
 * without having begun.
 */
export function createGate({ running, waiting, patience }: GateLimits) {
  /** By weight, the lightest first. */
  const line: Waiter[] = [];
  let taken = 0;

  function leaveLine(waiter: Waiter): void {
    const at = line.indexOf(waiter);
    if (at !== -1) line.splice(at, 1);
  }

  function wait(weight: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter: Waiter = {
        weight,
        settle: (admitted) => {
          clearTimeout(timer);
          leaveLine(waiter);
          resolve(admitted);
        },
      };
      const timer = setTimeout(() => waiter.settle(false), patience);
      const behind = line.findIndex((other) => other.weight > weight);
      line.splice(behind === -1 ? line.length : behind, 0, waiter);
    });
  }

  function enter(weight: number): Promise<boolean> {
    if (taken < running) {
      taken += 1;
      return Promise.resolve(true);
    }
    const heaviest = line.at(-1);
    if (line.length < waiting) return wait(weight);
    if (heaviest === undefined || heaviest.weight <= weight) return Promise.resolve(false);
    heaviest.settle(false);
    return wait(weight);
  }

  /** Gives the place to the next in line, if there is one, without freeing it in between. */
  function leave(): void {
    const [next] = line;
    if (next === undefined) taken -= 1;
    else next.settle(true);
  }

  /**
   * Runs what is given when there is a place for it.
   *
   * @param weight what the one who asks has cost already
   */
  return async function visit<Value>(
    run: () => Promise<Value>,
    weight = 0,
  ): Promise<Result<Value, 'full'>> {
    if (!(await enter(weight))) return refuse('full');
    try {
      return ok(await run());
    } finally {
      leave();
    }
  };
}
