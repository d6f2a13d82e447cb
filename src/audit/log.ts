import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { waitPatiently } from '../lib/patience.ts';
import { isOfStranger, toLine } from './line.ts';
import { createLosses } from './losses.ts';
import { createQueue, type Line } from './queue.ts';
import type { AuditEntry } from './record.ts';
import { writeWhole, type WriteBytes } from './stdout.ts';

export { writeToStdout, type WriteBytes } from './stdout.ts';

/**
 * How long an answer waits for its record to be written, longer in a busy process; then no
 * credentials may leave.
 */
const DEADLINE_MS = 250;

/** How long a write may make no progress before its reader counts as asleep. */
const STUCK = 1 * SECOND;

/**
 * The pause between a failed write and the next try, which writes the line that tells of the
 * losses.
 */
const PROBE = 1 * SECOND;

/** How long after a loss `/readyz` reports the log as degraded. */
const RECENT = 5 * MINUTE;

const NEWLINE = Buffer.from('\n');

/** The log of decisions. */
export type AuditLog = {
  /**
   * Appends one record. Resolves to true when the write to stdout completed, and to false when it
   * failed or took longer than 250 ms, not counting the time in which the process itself did not
   * run.
   *
   * @param withdraw whether the line is taken back if its write has not begun after 250 ms. It is
   *   for lines that say that something left, which after `false` does not: see `release`. Every
   *   other line stays in the queue.
   */
  readonly append: (entry: AuditEntry, withdraw?: boolean) => Promise<boolean>;
};

/** The state of the log. */
export type AuditHealth = {
  /** Whether lines are being taken: the last write did not fail, and the one under way moves. */
  readonly writable: boolean;
  /** Lines that were lost since the start. */
  readonly lost: number;
  /** Whether one of them is from the last minutes. */
  readonly losing: boolean;
};

/** The log as a whole, for the process that runs it. */
export type AuditStream = AuditLog & {
  /** Whether a refusal's line would find room in the part of the queue that is for strangers. */
  readonly hasRoomForRefusal: () => boolean;
  readonly health: () => AuditHealth;
  /** Resolves when no line waits to be written; never, if the reader sleeps for good. */
  readonly drained: () => Promise<void>;
  /** How many lines wait, plus the lost ones that no line tells of yet. */
  readonly unwritten: () => number;
};

/**
 * Lines of refusals are shorter than this, in bytes: they hold some texts of 256 characters,
 * escaped.
 */
const LONG_REFUSAL = 16 * 1024;

const FULL = 'its reader lags behind, and there is no room for further lines';

/**
 * Constructs the log. Lines leave in the order of `append`; those of refusals after the others that
 * wait.
 */
export function createAuditLog(
  clock: Clock,
  writeBytes: WriteBytes,
  onFault: (error: unknown) => void,
): AuditStream {
  const queue = createQueue();
  const losses = createLosses({ clock, onFault, onWindow: () => tellOfLosses() });
  let writing = false;
  /**
   * Whether a failed write left part of a line behind; then the next write begins with a newline.
   */
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

  /** Writes how many lines were lost, and so finds out whether the log can be written again. */
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
      // A line that may be withdrawn is followed by one that says so; that one counts as lost.
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
