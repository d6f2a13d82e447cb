import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { waitPatiently } from '../lib/patience.ts';
import { isOfStranger, toLine } from './line.ts';
import { createLosses } from './losses.ts';
import { createQueue, type Line } from './queue.ts';
import type { AuditEntry } from './record.ts';
import { writeWhole, type WriteBytes } from './stdout.ts';

export { writeToStdout, type WriteBytes } from './stdout.ts';

/** How long an answer waits for its record to be written, longer in a busy process; then no credentials may leave. */
const DEADLINE_MS = 250;

/** How long a write may make no progress before its reader counts as asleep. */
const STUCK = 1 * SECOND;

/** The pause between a failed write and the next try, which writes the line that tells of the losses. */
const PROBE = 1 * SECOND;

/** How long after a loss `/readyz` reports the log as degraded. */
const RECENT = 5 * MINUTE;

const NEWLINE = Buffer.from('\n');

/** The log of decisions. */
export type AuditLog = {
  /**
   * Appends one record. Resolves to true when the write to stdout completed, to false when it failed or took longer than
   * 250 ms (the time in which the process itself did not run aside): then no credentials may leave.
   *
   * @param withdraw whether a line that is not begun after 250 ms is taken back: it says that credentials left, and
   *   after `false` they do not. Every other line stays in the queue.
   */
  readonly append: (entry: AuditEntry, withdraw?: boolean) => Promise<boolean>;
};

/** How the log is. */
export type AuditHealth = {
  /** Whether lines are being taken: the last write did not fail, and the one under way moves. */
  readonly writable: boolean;
  /** Lines that were not written since the start, and will not be. */
  readonly lost: number;
  /** Whether one of them is from the last minutes. */
  readonly losing: boolean;
};

/** The log as a whole, for those who run it. */
export type AuditStream = AuditLog & {
  /** Whether a refusal's line would find room. Strangers fill their part of the queue only. */
  readonly hasRoomForRefusal: () => boolean;
  readonly health: () => AuditHealth;
  /** Resolves when nothing waits to be written any more: never, if the reader sleeps for good. */
  readonly drained: () => Promise<void>;
  /** Lines that wait, and lines that were lost and that no line tells of. */
  readonly unwritten: () => number;
};

/** A line of this length finds room where `hasRoomForRefusal` says so: some texts of 256, escaped. */
const LONG_REFUSAL = 16 * 1024;

const FULL = 'its reader lags behind, and there is no room for further lines';

/** Constructs the log. Lines leave in the order of `append`; those of refusals after the others that wait. */
export function createAuditLog(clock: Clock, writeBytes: WriteBytes, onFault: (error: unknown) => void): AuditStream {
  const queue = createQueue();
  const losses = createLosses({ clock, onFault, onWindow: () => tellOfLosses() });
  let writing = false;
  /** Whether a failed write left part of a line behind, which must not run into the next record. */
  let torn = false;
  let failed = false;
  let progressAt = 0;
  let telling = false;
  let probe: NodeJS.Timeout | undefined;
  let waiting: (() => void)[] = [];

  function flush(): void {
    const batch = queue.take();
    writing = batch.length > 0;
    if (!writing) {
      const idle = waiting;
      waiting = [];
      for (const resolve of idle) resolve();
      return;
    }
    progressAt = performance.now();
    const whole = Buffer.concat([...(torn ? [NEWLINE] : []), ...batch.map(({ bytes }) => bytes)]);
    writeWhole(writeBytes, whole, {
      onProgress: () => {
        progressAt = performance.now();
      },
      done: (error, left) => {
        if (left < whole.length) torn = left > 0 && whole.at(-left - 1) !== NEWLINE[0];
        queue.release(batch);
        settle(batch, error);
        flush();
      },
    });
  }

  function settle(batch: readonly Line[], error: NodeJS.ErrnoException | null): void {
    const recovered = failed && error === null;
    failed = error !== null;
    if (error !== null) {
      losses.reportFault(error);
      for (const { countsIfLost } of batch) if (countsIfLost) losses.add(error);
      clearTimeout(probe);
      probe = setTimeout(tellOfLosses, PROBE).unref();
    }
    for (const line of batch) line.settle(error === null);
    if (recovered) tellOfLosses();
  }

  /** Writes how many lines were lost, which also finds out whether the log can be written again. */
  function tellOfLosses(): void {
    const entry = losses.describe();
    if (entry === undefined || telling) return;
    const told = losses.untold();
    telling = true;
    queue.add({
      bytes: toLine(entry, clock()),
      lane: 'proven',
      countsIfLost: false,
      settle: (written) => {
        telling = false;
        if (written) losses.told(told);
      },
    });
    if (!writing) flush();
  }

  function append(entry: AuditEntry, withdraw = false): Promise<boolean> {
    const bytes = toLine(entry, clock());
    const lane = isOfStranger(entry) ? 'refusals' : 'proven';
    if (!queue.hasRoom(lane, bytes.length)) {
      // What says that it cannot be withdrawn says for the other one that it is not written.
      if (!withdraw) losses.add(new Error(FULL));
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      const line: Line = {
        bytes,
        lane,
        countsIfLost: !withdraw,
        settle: (written) => {
          stopWaiting();
          resolve(written);
        },
      };
      const stopWaiting = waitPatiently(DEADLINE_MS, () => {
        if (withdraw) queue.withdraw(line);
        resolve(false);
      });
      queue.add(line);
      if (!writing) flush();
    });
  }

  function health(): AuditHealth {
    const stuck = writing && performance.now() - progressAt > STUCK;
    return { writable: !failed && !stuck, lost: losses.count(), losing: losses.age() < RECENT };
  }

  async function drained(): Promise<void> {
    tellOfLosses();
    if (!writing) return;
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
    });
  }

  function hasRoomForRefusal() {
    return queue.hasRoom('refusals', LONG_REFUSAL);
  }

  function unwritten() {
    return queue.size() + losses.untold();
  }

  return { append, hasRoomForRefusal, health, drained, unwritten };
}
