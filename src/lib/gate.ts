import { ok, refuse, type Result } from './result.ts';

/** Lets so many run at once and so many more wait, each for so long (milliseconds); who finds no place is refused. */
export type GateLimits = { readonly running: number; readonly waiting: number; readonly patience: number };

/**
 * Bounds how many runs are under way. Whoever comes when all places are taken waits in line; whoever finds the line full,
 * or has waited too long, is refused without having run.
 */
export const createGate = ({ running, waiting, patience }: GateLimits) => {
  const line = new Set<() => void>();
  let taken = 0;

  const enter = (): Promise<boolean> => {
    if (taken < running) {
      taken += 1;
      return Promise.resolve(true);
    }
    if (line.size >= waiting) return Promise.resolve(false);
    return new Promise((resolve) => {
      const admit = (): void => {
        clearTimeout(timer);
        line.delete(admit);
        resolve(true);
      };
      const timer = setTimeout(() => {
        line.delete(admit);
        resolve(false);
      }, patience);
      line.add(admit);
    });
  };

  /** The place goes to the next in line, if there is one, without being free in between. */
  const leave = (): void => {
    const [next] = line;
    if (next === undefined) taken -= 1;
    else next();
  };

  return async <Value>(run: () => Promise<Value>): Promise<Result<Value, 'full'>> => {
    if (!(await enter())) return refuse('full');
    try {
      return ok(await run());
    } finally {
      leave();
    }
  };
};
