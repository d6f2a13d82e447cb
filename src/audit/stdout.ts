import { write } from 'node:fs';

/** A pipe whose reader sleeps answers "try again" where it does not block; so often it is tried. */
const RETRY_MS = 5;

/** Writes some bytes and tells how many; the shape of `fs.write`. */
export type WriteBytes = (
  bytes: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

let isPrepared = false;

/**
 * Node makes a pipe non-blocking when it opens it as a stream. A blocking one, with a reader that
 * sleeps, would hold one of the process's four worker threads, and with it the end of the process:
 * `process.exit` waits for them.
 */
function prepareStdout(): void {
  if (isPrepared) return;
  isPrepared = true;
  process.stdout.on('error', () => undefined);
}

/**
 * `fs.write` on the descriptor, not `process.stdout`: a stream's write to a pipe blocks the whole
 * process when the reader stalls, and tells of its completion only then.
 */
export function writeToStdout(bytes: Uint8Array, done: Parameters<WriteBytes>[1]): void {
  prepareStdout();
  write(1, bytes, done);
}

/** How one write of several bytes goes. */
type Progress = {
  /** Told whenever some of the bytes were taken. */
  readonly onProgress: () => void;
  /** Told at the end how many bytes are left unwritten. */
  readonly done: (error: NodeJS.ErrnoException | null, left: number) => void;
};

/** Writes all bytes, in as many steps as it takes. */
export function writeWhole(writeBytes: WriteBytes, bytes: Uint8Array, progress: Progress): void {
  writeBytes(bytes, (error, written) => {
    if (error?.code === 'EAGAIN') {
      setTimeout(() => writeWhole(writeBytes, bytes, progress), RETRY_MS);
      return;
    }
    if (error !== null) {
      progress.done(error, bytes.length);
      return;
    }
    if (written > 0) progress.onProgress();
    if (written < bytes.length) writeWhole(writeBytes, bytes.subarray(written), progress);
    else progress.done(null, 0);
  });
}
