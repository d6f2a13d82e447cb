import { setImmediate as turn } from 'node:timers/promises';
import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';
import type { Moment, Stopwatch } from '../lib/stopwatch.ts';
import { includes } from './compaction.ts';
import { createRevocationBook, type Revocation, type RevocationBook } from './revocation.ts';
import { type LogEntry, type ReadEntry, apply } from './entry.ts';
import type { RevocationLog } from './log.ts';
import { createRevocationReader } from './reader.ts';
import { BrokenLog } from './broken-log.ts';
import { createRevocationWriter, type NewEntry } from './writer.ts';

/** How often the whole log is read again, so that changes of old entries by others are noticed. */
const RELOAD = 30 * MINUTE;

/** How soon it is read again after that failed or found the log broken: it may be large. */
const RELOAD_AGAIN = 3 * SECOND;

/**
 * How old a reading may be for its end to be where the log continues: entries stay for 10 s at
 * least.
 */
const JUST_READ = 3 * SECOND;

/** How many revocations are reported before the event loop has a turn. */
const SLICE = 2_000;

type Options = {
  readonly log: RevocationLog;
  readonly clock: Clock;
  readonly stopwatch: Stopwatch;
  /** A text that changes with the sealing keys; when it does, everything is read again. */
  readonly keysAre: () => string;
  /** Called with each new revocation, whoever made it. */
  readonly onRevocation: (revocation: Revocation) => void;
  readonly onFault: (error: unknown) => void;
};

/**
 * What one instance knows of the log. It reads everything once before it knows anything, and later
 * only what is new. The whole log is read again beside that, and the result replaces what is known
 * once it has caught up.
 */
export function createRevocationFollower(options: Options) {
  const { log, clock, stopwatch, keysAre, onRevocation, onFault } = options;
  const reader = createRevocationReader(log, onFault);
  let book: RevocationBook = createRevocationBook();
  /** Everything up to this number is known. */
  let top = 0;
  let readAt: Moment | undefined;
  const write = createRevocationWriter(log, () =>
    stopwatch.since(readAt) < JUST_READ ? top : undefined,
  );
  let loadedAt: Moment | undefined;
  let loadTriedAt: Moment | undefined;
  let loadedWith: string | undefined;
  let broken: BrokenLog | undefined;
  let underOldKeys = 0;
  /** The entries that were written here since the last reading of everything began. */
  let ownMeanwhile: LogEntry[] = [];

  function tell({ entry, closed }: Pick<ReadEntry, 'entry' | 'closed'>): void {
    if (entry.what === 'revoke' && !closed) onRevocation(entry);
  }

  /** Reads everything, and what came meanwhile: at no moment is less known than before. */
  const load = singleFlight(async function loadOnce(): Promise<void> {
    ownMeanwhile = [];
    loadTriedAt = stopwatch.now();
    const keys = keysAre();
    const loaded = await reader.load(book);
    let end = loaded.top;
    if (loaded.broken === undefined) {
      do end = await reader.follow(end, (read) => apply(read, loaded.book));
      while (end < top);
    }
    for (const entry of ownMeanwhile) apply(own(entry), loaded.book);
    book = loaded.book;
    ({ broken } = loaded);
    if (broken === undefined) {
      top = end;
      underOldKeys = loaded.stale;
      loadedAt = stopwatch.now();
      loadedWith = keys;
    }
    for (const [index, one] of loaded.added.entries()) {
      if (book.find(one.n, clock()) !== undefined) onRevocation(one);
      // There may be a hundred thousand of them.
      if (index % SLICE === SLICE - 1) await turn();
    }
    if (broken !== undefined) throw broken;
  });

  async function follow(): Promise<void> {
    await reader.follow(top, (read) => {
      apply(read, book);
      tell(read);
      // At once: a book that is being read beside this one must reach as far before it replaces
      // this one.
      if (read.genuine || read.closed) top = Math.max(top, read.entry.n);
    });
  }

  async function mend(): Promise<void> {
    if (stopwatch.since(loadTriedAt) < RELOAD_AGAIN && broken !== undefined) throw broken;
    await load();
  }

  /** Writes an entry, which is known at once; rejects if it cannot be written. */
  async function append(entry: NewEntry): Promise<LogEntry> {
    const written = await write(entry);
    ownMeanwhile.push(written);
    apply(own(written), book);
    tell({ entry: written, closed: false });
    // The lifting is written. If closing the entry that it lifts fails now, the upkeep does it
    // later.
    if (entry.what === 'lift')
      await log.close(entry.lifts, written.n, entry.sealing).catch(onFault);
    return written;
  }

  /** Replaces a broken entry by one that says nothing. Rejects if that cannot be written. */
  async function putAside(n: number): Promise<void> {
    if ((await log.silence(n, await log.read(n))) === 'refused')
      throw new Error(`entry ${n} has just changed`);
    loadTriedAt = undefined;
  }

  function isBroken(n: number): boolean {
    return broken !== undefined && includes(broken.numbers, n);
  }

  function noteUnderOldKeys(left: number): void {
    underOldKeys = left;
  }

  /**
   * Reads what is new, or everything if nothing is known yet; rejects unless everything up to the
   * head is known.
   */
  async function read(): Promise<void> {
    if (loadedAt === undefined || broken !== undefined) return mend();
    const isDue = stopwatch.since(loadedAt) > RELOAD || keysAre() !== loadedWith;
    // This is not waited for: what is new is read meanwhile, and reports the same faults.
    if (isDue && stopwatch.since(loadTriedAt) > RELOAD_AGAIN) void load().catch(() => undefined);
    try {
      const begun = stopwatch.now();
      await follow();
      readAt = begun;
    } catch (error) {
      if (!(error instanceof BrokenLog)) throw error;
      // A missing entry may have been named as gone meanwhile: only reading everything shows that.
      await load();
    }
  }

  return {
    read,
    append,
    putAside,
    isBroken,
    noteUnderOldKeys,
    book: () => book,
    top: () => top,
    broken: () => broken,
    underOldKeys: () => underOldKeys,
  };
}

/** What the feed follows the log with. */
export type RevocationFollower = ReturnType<typeof createRevocationFollower>;

/** An entry that this instance wrote itself, as if it had been read: it needs no proof. */
function own(entry: LogEntry): ReadEntry {
  return { entry, genuine: true, closed: false, stale: false, item: {} };
}
