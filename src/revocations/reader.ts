import { setImmediate as turn } from 'node:timers/promises';
import { BrokenLog, CHANGED, MISSING } from './broken-log.ts';
import {
  createNumberSet,
  gapsOf,
  includes,
  mergeRanges,
  type NumberSet,
  type Ranges,
} from './compaction.ts';
import { createRevocationBook, type Revocation, type RevocationBook } from './revocation.ts';
import { apply, type ReadEntry } from './entry.ts';
import type { RevocationLog } from './log.ts';

/** The result of reading everything. */
export type Loaded = {
  readonly book: RevocationBook;
  /** The number up to which everything is known, unless the log is broken. */
  readonly top: number;
  /** The revocations that were not known before; some may be lifted. */
  readonly added: readonly Revocation[];
  /** How many entries are signed with a key that is no longer the one that signs. */
  readonly stale: number;
  /** The entries that an operator has to restore or put aside before anything may be vended. */
  readonly broken: BrokenLog | undefined;
};

/**
 * How many entries are read at a time up to the head: one by one they would take a round trip each.
 */
const WINDOW = 25;

/**
 * How many missing entries are looked for once more, one by one: a table that lost more is not
 * going to find them.
 */
const LOOKED_FOR = 200;

/**
 * Reads the log: all of it, or what is new. Each entry up to the head must be there as the TVM
 * wrote it, or be named as gone under the TVM's signature. Otherwise the log is broken, and what is
 * revoked is not known.
 *
 * @param onFault is told of what others did to the log
 */
export function createRevocationReader(log: RevocationLog, onFault: (error: unknown) => void) {
  /** The highest head that this process has seen: a head never goes back. */
  let furthest = 0;

  async function readHead(noted: number): Promise<number> {
    const { n, genuine } = await log.readHead();
    const known = Math.max(furthest, noted);
    if (genuine && n >= known) {
      furthest = n;
      return n;
    }
    // The head is corrected from what is known. This reading fails; the next one will succeed.
    await log.raiseHead(known);
    await log.raiseMirror(known);
    furthest = known;
    const what = genuine ? `went back from ${known} to ${n}` : 'was not signed by this TVM';
    throw new Error(`the head of the revocations ${what}; it is put right and read again`);
  }

  /** The numbers that are neither there nor named as gone, after looking once more. */
  async function findMissing(there: NumberSet, head: number, gone: Ranges, to: RevocationBook) {
    const gaps = gapsOf(mergeRanges(there.ranges(), gone), head);
    const numbers = gaps.flatMap(([from, end]) =>
      Array.from({ length: Math.min(LOOKED_FOR, end - from + 1) }, (_, index) => from + index),
    );
    if (numbers.length === 0) return gaps;
    if (numbers.length > LOOKED_FOR)
      return gapsOf(mergeRanges(there.ranges(), (await log.readCompaction()).ranges), head);
    for (const n of numbers) {
      const item = await log.read(n);
      const read = item === undefined ? undefined : log.understand(item);
      if (read === undefined) continue;
      apply(read, to);
      if (read.genuine || read.closed) there.add(n);
    }
    // Entries that were named as gone during the reading may already be deleted.
    const { ranges } = await log.readCompaction();
    return gapsOf(mergeRanges(there.ranges(), ranges), head);
  }

  /**
   * Signs a log that has never been signed: every entry up to the head as it is, and what is
   * missing as gone.
   */
  async function signAll(head: number): Promise<void> {
    const there = createNumberSet();
    for await (const items of log.scan()) {
      for (const item of items) {
        const read = log.understand(item, true);
        if (read === undefined || read.entry.n > head) continue;
        there.add(read.entry.n);
        if (log.understand(item)?.genuine === false) await log.adopt(read, true);
      }
    }
    const { version, item, ranges } = await log.readCompaction(true);
    const gone = mergeRanges(ranges, gapsOf(there.ranges(), head));
    if (gone.length > 0) await log.writeCompaction(version + 1, gone, item);
    await log.raiseHead(head);
    await log.raiseMirror(head);
  }

  /**
   * The head up to which everything is to be read. Signs the log first if it has never been signed.
   */
  async function begin(): Promise<number> {
    const mirror = await log.readMirror();
    const noted = mirror?.n ?? 0;
    if (log.active() === undefined) {
      if (mirror?.signed !== true) return Math.max((await log.readHead()).n, noted);
      throw new Error(
        'no sealing key is known yet, so that nobody can tell what the TVM itself wrote into the log',
      );
    }
    if (mirror?.signed !== true) await signAll(Math.max((await log.readHead()).n, noted));
    return readHead(noted);
  }

  /**
   * Reads everything. `before` is what this process knew, which stays in force if the log is
   * broken.
   */
  async function load(before: RevocationBook): Promise<Loaded> {
    const head = await begin();
    const { ranges: gone, genuine, stale: isStale } = await log.readCompaction();
    if (!genuine)
      onFault(
        new Error('the list of revocations that are gone is not signed by this TVM; it is ignored'),
      );
    const book = createRevocationBook();
    const [there, changed] = [createNumberSet(), createNumberSet()];
    const added: Revocation[] = [];
    let stale = isStale ? 1 : 0;
    for await (const items of log.scan()) {
      for (const item of items) {
        const read = log.understand(item);
        if (read === undefined || includes(gone, read.entry.n)) continue;
        there.add(read.entry.n);
        if (!read.genuine && !read.closed && read.entry.n <= head) changed.add(read.entry.n);
        if (read.stale) stale += 1;
        apply(read, book);
        if (read.entry.what === 'revoke' && before.find(read.entry.n, 0) === undefined)
          added.push(read.entry);
      }
      // The event loop has a turn after each page.
      await turn();
    }
    const missing = await findMissing(there, head, gone, book);
    const numbers = mergeRanges(missing, changed.ranges());
    const broken =
      numbers.length === 0
        ? undefined
        : new BrokenLog(numbers, missing.length > 0 ? MISSING : CHANGED);
    // At the beginning of time nothing has ended, so this lists everything that was known.
    if (broken !== undefined)
      for (const one of before.list(Number.NEGATIVE_INFINITY)) book.add(one);
    return { book, top: head, added, stale, broken };
  }

  /**
   * Takes over an item of the log. An entry beyond the head that nobody signed counts if it
   * revokes, and is signed then; one at or below the head was changed by others, and breaks the
   * log.
   */
  async function take(
    item: NonNullable<Awaited<ReturnType<RevocationLog['read']>>>,
    head: number,
    on: Take,
  ) {
    const read = log.understand(item);
    if (read === undefined) throw new Error('an item of the log has no number');
    const { n } = read.entry;
    on(read);
    if (read.genuine || read.closed) return;
    const isNew = n > head && (await log.readHead()).n < n;
    if (isNew) {
      onFault(
        new Error(
          `entry ${n} of the revocations was not written by this TVM; it can revoke, and nothing else`,
        ),
      );
      await log.adopt(read, false);
    }
    const again = await log.read(n);
    const signed = again === undefined ? undefined : log.understand(again);
    if (signed === undefined || !(signed.genuine || signed.closed))
      throw new BrokenLog([[n, n]], CHANGED);
    on(signed);
  }

  /** Reads what is new after `from`, number by number, and gives the last number that there is. */
  async function follow(from: number, on: Take): Promise<number> {
    const head = await readHead(0);
    let top = from;
    for (;;) {
      const width = Math.max(1, Math.min(WINDOW, head - top));
      const items = await Promise.all(
        Array.from({ length: width }, (_, index) => log.read(top + 1 + index)),
      );
      for (const item of items) {
        const n = top + 1;
        const found = item ?? (n > head ? undefined : await log.read(n));
        if (found === undefined && n <= head) throw new BrokenLog([[n, n]], MISSING);
        if (found === undefined) {
          if (top > head) {
            await log.raiseHead(top);
            await log.raiseMirror(top);
            furthest = Math.max(furthest, top);
          }
          return top;
        }
        await take(found, head, (read) => on(read));
        top = n;
      }
    }
  }

  return { load, follow };
}

type Take = (read: ReadEntry) => void;

/** Reads the log of revocations. */
export type RevocationReader = ReturnType<typeof createRevocationReader>;
