import { ok, refuse, type Result } from './result.ts';

/** Lets so many run at once and so many more wait, each for so long (milliseconds); who finds no place is refused. */
export type GateLimits = { readonly running: number; readonly waiting: number; readonly patience: number };

/** One who waits: told once whether there is a place. */
type Waiter = { readonly weight: number; readonly settle: (admitted: boolean) => void };

/**
 * Bounds how many runs are under way. Whoever comes when all places are taken waits in line: the lightest first, among
 * equals the first to come. A full line gives the place of its heaviest to whoever is lighter; whoever is not, or has
 * waited too long, is refused without having run.
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

  /** The place goes to the next in line, if there is one, without being free in between. */
  function leave(): void {
    const [next] = line;
    if (next === undefined) taken -= 1;
    else next.settle(true);
  }

  /**
   * Runs what is given when there is a place for it.
   *
   * @param weight how much whoever comes has cost already; zero unless told
   */
  return async function visit<Value>(run: () => Promise<Value>, weight = 0): Promise<Result<Value, 'full'>> {
    if (!(await enter(weight))) return refuse('full');
    try {
      return ok(await run());
    } finally {
      leave();
    }
  };
}
