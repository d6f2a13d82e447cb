import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import type { AuditEntry } from './record.ts';

/**
 * How often faults of the audit log are reported at most: otherwise each lost line would report
 * one.
 */
const LOSS_WINDOW = 1 * MINUTE;

/**
 * Lines that were lost and that the log itself does not tell of yet; times in epoch milliseconds.
 */
type Untold = { lines: number; first: number; last: number };

type Options = {
  readonly clock: Clock;
  /** Gets the first fault of a window at once, and all others together at its end. */
  readonly onFault: (error: unknown) => void;
  /** Called at the end of each window in which there was a fault. */
  readonly onWindow: () => void;
};

/** Counts lost lines and reports them: the first at once, the others once a window. */
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

  /** Counts a lost line. */
  function add(fault: unknown): void {
    const now = clock();
    reportFault(fault);
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

  /** The record that tells of the lost lines; undefined if there is nothing to tell. */
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

  /** How many lost lines no record tells of yet. */
  function countUntold(): number {
    return untold?.lines ?? 0;
  }

  /** Takes note that a record tells of so many of them. */
  function told(lines: number): void {
    const left = countUntold() - lines;
    untold = untold === undefined || left <= 0 ? undefined : { ...untold, lines: left };
  }

  return { reportFault, add, count, age, untold: countUntold, describe, told };
}
