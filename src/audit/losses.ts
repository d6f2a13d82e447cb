import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import type { AuditEntry } from './record.ts';

/** Faults of the audit log are told once in so long: each lost line would be one otherwise. */
const LOSS_WINDOW = 1 * MINUTE;

/** Lines that were lost and not yet told of in the log itself. */
type Untold = { lines: number; first: number; last: number };

type Options = {
  readonly clock: Clock;
  /** Told of the first fault in a window at once, and of all others together at its end. */
  readonly onFault: (error: unknown) => void;
  /** Told at the end of each window in which there was a fault. */
  readonly onWindow: () => void;
};

/** Counts lines that were not written, and says so: at once, then once a window. */
export function createLosses({ clock, onFault, onWindow }: Options) {
  let lost = 0;
  let lastLoss = Number.NEGATIVE_INFINITY;
  let untold: Untold | undefined;
  let lostBefore = 0;
  let isWindowOpen = false;

  function closeWindow(): void {
    isWindowOpen = false;
    const lines = lost - lostBefore;
    if (lines > 0) {
      const seconds = LOSS_WINDOW / SECOND;
      reportFault(new Error(`${lines} lines were lost in ${seconds} s, ${lost} since the start`));
    }
    onWindow();
  }

  /** Reports a fault, unless one was reported within this window. */
  function reportFault(error: unknown): void {
    if (isWindowOpen) return;
    isWindowOpen = true;
    lostBefore = lost;
    setTimeout(closeWindow, LOSS_WINDOW).unref();
    onFault(error);
  }

  /** Counts a line that will not be written; `why` is the fault. */
  function add(why: unknown): void {
    const now = clock();
    reportFault(why);
    lost += 1;
    lastLoss = performance.now();
    untold = { lines: (untold?.lines ?? 0) + 1, first: untold?.first ?? now, last: now };
  }

  /** How many lines were lost since the start. */
  function count(): number {
    return lost;
  }

  /** Milliseconds since a line was lost; infinite if none was. */
  function age(): number {
    return performance.now() - lastLoss;
  }

  /** What the log is to say of them; undefined if there is nothing. */
  function describe(): AuditEntry | undefined {
    return untold === undefined
      ? undefined
      : {
          event: 'audit_lost',
          lines: untold.lines,
          first: new Date(untold.first).toISOString(),
          last: new Date(untold.last).toISOString(),
        };
  }

  /** So many of them are told of. */
  function told(lines: number): void {
    const left = (untold?.lines ?? 0) - lines;
    untold = untold === undefined || left <= 0 ? undefined : { ...untold, lines: left };
  }

  return { reportFault, add, count, age, untold: (): number => untold?.lines ?? 0, describe, told };
}
