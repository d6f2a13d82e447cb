import { setImmediate as turn } from 'node:timers/promises';
import { MINUTE, SECOND, type Clock } from '../lib/clock.ts';
import { singleFlight } from '../lib/single-flight.ts';
import type { Moment, Stopwatch } from '../lib/stopwatch.ts';
import { includes } from './compaction.ts';
import { createRevocationBook, type Revocation, type RevocationBook } from './revocation.ts';
import type { LogEntry, ReadEntry } from './entry.ts';
import type { RevocationLog } from './log.ts';
import { apply, BrokenLog, createRevocationReader } from './reader.ts';
import { createRevocationWriter, type NewEntry } from './writer.ts';

/** How often all is read anew, so that what was changed in the table behind everybody's back is noticed. */
const RELOAD = 30 * MINUTE;

/** How soon all is read again where that failed, or found the log broken: it may be large. */
const RELOAD_AGAIN = 3 * SECOND;

/** A number is gone 10 s after it was written at the soonest: behind a reading as young as this, none is. */
const JUST_READ = 3 * SECOND;

/** So many are told of at a time. */
const SLICE = 2_000;

type Options = {
  readonly log: RevocationLog;
  readonly clock: Clock;
  readonly stopwatch: Stopwatch;
  /** What the sealing keys are; when that changes, all is read anew. */
  readonly keysAre: () => string;
  /** Told of each new revocation, whoever made it. */
  readonly onRevocation: (revocation: Revocation) => void;
  readonly onFault: (error: unknown) => void;
};

/**
 * What one instance knows of the log. Everything is read once before anything is known; later only what is new, while
 * reading everything again goes on beside it and takes its place when it has caught up.
 */
export function createRevocationFollower(options: Options) {
  const { log, clock, stopwatch, keysAre, onRevocation, onFault } = options;
  const reader = createRevocationReader(log, onFault);
  let book: RevocationBook = createRevocationBook();
  /** Everything up to this number is known. */
  let top = 0;
  let readAt: Moment | undefined;
  const write = createRevocationWriter(log, () => (stopwatch.since(readAt) < JUST_READ ? top : undefined));
  let loadedAt: Moment | undefined;
  let loadTriedAt: Moment | undefined;
  let loadedWith: string | undefined;
  let broken: BrokenLog | undefined;
  let underOldKeys = 0;
  /** What was written here since the last reading of everything began. */
  let ownMeanwhile: LogEntry[] = [];

  function tell({ entry, closed }: Pick<ReadEntry, 'entry' | 'closed'>): void {
    if (entry.what === 'revoke' && !closed) onRevocation(entry);
  }

  /** Reads everything, and what is new meanwhile: never is less known than before, not even for a moment. */
  const load = singleFlight(async (): Promise<void> => {
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
      // There may be a hundred thousand.
      if (index % SLICE === SLICE - 1) await turn();
    }
    if (broken !== undefined) throw broken;
  });

  async function follow(): Promise<void> {
    await reader.follow(top, (read) => {
      apply(read, book);
      tell(read);
      // At once: a book that is read anew beside this must reach as far before it takes this one's place.
      if (read.genuine || read.closed) top = Math.max(top, read.entry.n);
    });
  }

  async function mend(): Promise<void> {
    if (stopwatch.since(loadTriedAt) < RELOAD_AGAIN && broken !== undefined) throw broken;
    await load();
  }

  /** Writes an entry and knows it at once; rejects if it cannot be written. */
  async function append(entry: NewEntry): Promise<LogEntry> {
    const written = await write(entry);
    ownMeanwhile.push(written);
    apply(own(written), book);
    tell({ entry: written, closed: false });
    // The lifting stands. What closes the entry that it lifts is put in order later where that fails now.
    if (entry.what === 'lift') await log.close(entry.lifts, written.n, entry.sealing).catch(onFault);
    return written;
  }

  /** Makes a broken number say nothing from now on. Rejects if that cannot be written. */
  async function putAside(n: number): Promise<void> {
    if ((await log.silence(n, await log.read(n))) === 'refused') throw new Error(`entry ${n} has just changed`);
    loadTriedAt = undefined;
  }

  function isBroken(n: number): boolean {
    return broken !== undefined && includes(broken.numbers, n);
  }

  function noteUnderOldKeys(left: number): void {
    underOldKeys = left;
  }

  return {
    /** Reads what is new, or everything where nothing is known; rejects unless everything up to the head is known. */
    read: async (): Promise<void> => {
      if (loadedAt === undefined || broken !== undefined) return mend();
      const isDue = stopwatch.since(loadedAt) > RELOAD || keysAre() !== loadedWith;
      // It takes as long as it takes; what is new is read meanwhile, and tells of the same faults.
      if (isDue && stopwatch.since(loadTriedAt) > RELOAD_AGAIN) void load().catch(() => undefined);
      try {
        const begun = stopwatch.now();
        await follow();
        readAt = begun;
      } catch (error) {
        if (!(error instanceof BrokenLog)) throw error;
        // What is missing may have been named as gone meanwhile: only reading everything can tell.
        await load();
      }
    },
    book: () => book,
    top: () => top,
    append,
    putAside,
    broken: () => broken,
    isBroken,
    underOldKeys: () => underOldKeys,
    noteUnderOldKeys,
  };
}

/** What the feed follows the log with. */
export type RevocationFollower = ReturnType<typeof createRevocationFollower>;

/** What this instance wrote itself needs no proof. */
function own(entry: LogEntry): ReadEntry {
  return { entry, genuine: true, closed: false, stale: false, item: {} };
}
