import { write } from 'node:fs';

/** How long until a full pipe, which answers "try again", is tried again. */
const RETRY_MS = 5;

/** Writes some of the bytes and says how many; the shape of `fs.write`. */
export type WriteBytes = (
  bytes: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

let isPrepared = false;

/**
 * Opens stdout as a stream, because Node then makes a pipe non-blocking. A write to a blocking pipe
 * whose reader sleeps would hold one of the process's four worker threads, and so the end of the
 * process: `process.exit` waits for them.
 */
function prepareStdout(): void {
  if (isPrepared) return;
  isPrepared = true;
  process.stdout.on('error', () => undefined);
}

/**
 * Writes to stdout, with `fs.write` on the descriptor. A write of the stream `process.stdout` to a
 * pipe would block the whole process while the reader stalls.
 */
export function writeToStdout(bytes: Uint8Array, done: Parameters<WriteBytes>[1]): void {
  prepareStdout();
  write(1, bytes, done);
}

/** Who is told how a write of several bytes goes. */
type Progress = {
  /** Called whenever some of the bytes were taken. */
  readonly onProgress: () => void;
  /** Called at the end with how many bytes are left unwritten. */
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
