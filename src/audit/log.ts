import { write } from 'node:fs';
import type { Clock } from '../lib/clock.ts';
import { escapeUnseen } from '../lib/unseen.ts';
import { currentTrace } from '../telemetry/trace.ts';
import type { AuditEntry, AuditRecord } from './record.ts';

/** How long an answer waits for its record to be written. */
const DEADLINE_MS = 250;
/** A timer that is later than this tells that the process itself is too busy, and so often it is waited again. */
const BUSY = 1.25;
const ROUNDS = 3;
/** How much may wait to be written; a reader that lags further behind than this stops the vending. */
const MAX_PENDING_BYTES = 8 * 1024 * 1024;
/** A pipe whose reader sleeps answers "try again" where it does not block. */
const RETRY_MS = 5;

const NEWLINE = Buffer.from('\n');

/** Writes some bytes and tells how many; the shape of `fs.write`. */
export type WriteBytes = (
  bytes: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

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

type Pending = { readonly bytes: Buffer; cancelled: boolean; readonly settle: (written: boolean) => void };

/**
 * `fs.write` on the descriptor, not `process.stdout`: a stream's write to a pipe blocks the whole process when the reader
 * stalls, and tells of its completion only then. At most one write is under way; what queues up meanwhile goes out in one.
 */
export const writeToStdout: WriteBytes = (bytes, done) => write(1, bytes, done);

/** Constructs the log. Lines leave in the order of `append`. */
export const createAuditLog = (clock: Clock, writeBytes: WriteBytes, onFault: (error: unknown) => void): AuditLog => {
  let queue: Pending[] = [];
  let pendingBytes = 0;
  let writing = false;
  /** Whether a failed write left part of a line behind, which must not run into the next record. */
  let torn = false;

  const flush = (): void => {
    const batch = queue.filter(({ cancelled }) => !cancelled);
    queue = [];
    pendingBytes = 0;
    writing = batch.length > 0;
    if (!writing) return;
    const whole = Buffer.concat([...(torn ? [NEWLINE] : []), ...batch.map(({ bytes }) => bytes)]);
    writeWhole(writeBytes, whole, (error, left) => {
      if (left < whole.length) torn = left > 0 && whole.at(-left - 1) !== NEWLINE[0];
      if (error !== null) onFault(error);
      for (const { settle } of batch) settle(error === null);
      flush();
    });
  };

  return {
    append: (entry, withdraw = false) => {
      const record = {
        type: 'audit',
        timestamp: new Date(clock()).toISOString(),
        ...currentTrace(),
        ...entry,
      } as AuditRecord;
      const bytes = Buffer.from(`${escapeUnseen(JSON.stringify(record))}\n`);
      if (pendingBytes + bytes.length > MAX_PENDING_BYTES) return Promise.resolve(false);
      return new Promise((resolve) => {
        const settle = (written: boolean): void => {
          clearTimeout(timer);
          resolve(written);
        };
        const pending: Pending = { bytes, cancelled: false, settle };
        let begun = performance.now();
        let rounds = 1;
        // A busy process comes late to its timers, and its writer threads to their writes: that is not the reader's
        // fault, so the time is given once or twice more. One more turn of the event loop lets a write that completed long
        // ago be told first.
        const giveUp = (): void => {
          if (performance.now() - begun > DEADLINE_MS * BUSY && rounds < ROUNDS) {
            begun = performance.now();
            rounds += 1;
            timer = setTimeout(() => setImmediate(giveUp), DEADLINE_MS);
            return;
          }
          pending.cancelled = withdraw;
          settle(false);
        };
        let timer = setTimeout(() => setImmediate(giveUp), DEADLINE_MS);
        queue.push(pending);
        pendingBytes += bytes.length;
        if (!writing) flush();
      });
    },
  };
};

/** Tells at the end how many bytes are left unwritten. */
const writeWhole = (
  writeBytes: WriteBytes,
  bytes: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, left: number) => void,
): void => {
  writeBytes(bytes, (error, written) => {
    if (error?.code === 'EAGAIN') setTimeout(() => writeWhole(writeBytes, bytes, done), RETRY_MS);
    else if (error !== null) done(error, bytes.length);
    else if (written < bytes.length) writeWhole(writeBytes, bytes.subarray(written), done);
    else done(null, 0);
  });
};
