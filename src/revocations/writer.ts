import { attributes, textAt, type Item } from '../aws/attributes.ts';
import { newHexId } from '../lib/ids.ts';
import type { SealingKey } from '../lib/sealing.ts';
import type { Revocation } from './revocation.ts';
import { createFillAnnounced } from './announced.ts';
import { endOfBatch, toItem, toLift, type LogEntry } from './entry.ts';
import { signEntry } from './entry-signature.ts';
import type { RevocationLog } from './log.ts';

/** What a new entry says; the log gives it its number. */
export type NewEntry =
  | ({ readonly what: 'revoke' } & Omit<Revocation, 'n'>)
  | { readonly what: 'lift'; readonly lifts: number; readonly sealing: SealingKey };

/** How many entries one batch has at most: that many writes are under way at a time. */
const MAX_BATCH = 50;

/**
 * How many times a batch moves to other numbers because other instances took those that it wanted.
 */
const MAX_ROUNDS = 100;

/** How many times an entry is put again that does not stand where it was put. */
const MAX_REPAIRS = 3;

/** An entry that waits to be written, and whom to tell. */
type Job = {
  readonly entry: NewEntry;
  readonly attempt: string;
  readonly resolve: (entry: LogEntry) => void;
  readonly reject: (error: unknown) => void;
};

/** An entry at its number, and the item that is put there. */
type Placed = { readonly job: Job; readonly entry: LogEntry; readonly item: Item };

/**
 * Appends entries to the log, one batch of this instance at a time. The first entry of a batch
 * announces how far the batch will reach, so that another instance that meets it continues after
 * the whole batch:
 *
 *     A  put 8, which says "to 11" ── put 9, 10, 11 ── raise the head to 11 ── read back ── answer
 *     B  put 8: there, "to 11" ── put 12 … 15 ── 9 to 11 are there ── raise the head to 15
 *        ── read back ── answer
 *
 * A writer that dies on the way leaves numbers without entries. The next writer fills them with
 * `void`, so that the log has no gap below any entry whose writer was told that it is written.
 *
 * @param knownTo the highest number up to which this instance has just read everything; undefined
 *   if that is longer ago
 */
export function createRevocationWriter(log: RevocationLog, knownTo: () => number | undefined) {
  let waiting: Job[] = [];
  /** The last number that this instance wrote itself. */
  let written = 0;
  let isWriting = false;
  const fillAnnounced = createFillAnnounced(log);

  /** The head; the copy in the guard table if the head is not genuine. */
  async function headNow(): Promise<number> {
    const { n, genuine } = await log.readHead();
    return genuine ? n : ((await log.readMirror())?.n ?? n);
  }

  /** The number after which a batch continues that found an entry at n; signs it if nobody has. */
  async function endOfOther(n: number): Promise<{ readonly end: number; readonly sure: number }> {
    const [item, head] = await Promise.all([log.readPatiently(n), log.readHead()]);
    const sure = head.genuine ? head.n : 0;
    const read = item === undefined ? undefined : log.understand(item);
    // It was deleted since, so the head is beyond it.
    if (read === undefined) return { end: Math.max(n - 1, sure), sure };
    if (read.genuine)
      return { end: Math.max(Math.min(endOfBatch(read), n + MAX_BATCH), sure), sure };
    // At or below the head it was changed by others, and stays as it is.
    if (sure < n) await log.adopt(read, false);
    return { end: Math.max(n, sure), sure };
  }

  function place(job: Job, n: number, last: number | undefined): Placed {
    const { entry: wish } = job;
    const entry: LogEntry =
      wish.what === 'lift' ? toLift(n, wish.lifts, wish.sealing) : { ...wish, n };
    const item = toItem(entry, last);
    const signed = entry.what === 'lift' ? item : signEntry(item, log.active());
    return { job, entry, item: { ...signed, ...attributes({ attempt: job.attempt }) } };
  }

  async function put({ job, item }: Placed): Promise<boolean> {
    return (await log.put(item, job.attempt)) === 'done';
  }

  /**
   * Whether an entry stands where it was put. Puts it again if it does not; false if a genuine
   * entry has its place.
   */
  async function stands({ entry: { n }, item }: Placed): Promise<boolean> {
    for (let repair = 0; repair <= MAX_REPAIRS; repair += 1) {
      const there = await log.readPatiently(n);
      const isOurs = ['attempt', 'signature'].every(
        (name) => textAt(there, name) === textAt(item, name),
      );
      if (isOurs && there !== undefined && log.understand(there)?.genuine !== false) return true;
      if (there !== undefined && !isOurs && log.understand(there)?.genuine === true) return false;
      await log.replace(item, there);
    }
    throw new Error(`entry ${n} of the revocations does not stand where it was written`);
  }

  /**
   * Finds numbers for a batch. Gives what was placed, what failed with its error, and what others
   * announced before.
   */
  async function placeAll(jobs: readonly Job[]) {
    const placed: Placed[] = [];
    const failed = new Map<Job, unknown>();
    const unsure = new Set<number>();
    // Numbers up to the head may be gone for good, and must not be used again.
    const known = knownTo() ?? (await headNow());
    let n = Math.max(written, known) + 1;
    let left = jobs;
    for (let round = 0; left.length > 0 && round < MAX_ROUNDS; round += 1) {
      const [first, ...others] = left;
      if (first === undefined) break;
      const last = n + left.length - 1;
      const leader = place(first, n, left.length > 1 ? last : undefined);
      if (!(await put(leader))) {
        const { end, sure } = await endOfOther(n);
        for (let number = Math.max(n, sure) + 1; number <= end; number += 1) unsure.add(number);
        n = end + 1;
        continue;
      }
      placed.push(leader);
      const followers = others.map((job, index) => place(job, n + 1 + index, undefined));
      const outcomes = await Promise.allSettled(followers.map(put));
      left = others.filter((job, index) => {
        const [outcome, follower] = [outcomes[index], followers[index]];
        if (outcome === undefined || follower === undefined) return false;
        if (outcome.status === 'fulfilled' && outcome.value) placed.push(follower);
        if (outcome.status === 'rejected') {
          failed.set(job, outcome.reason);
          unsure.add(follower.entry.n);
        }
        return outcome.status === 'fulfilled' && !outcome.value;
      });
      n = last + 1;
    }
    for (const job of left)
      failed.set(job, new Error('others take the numbers of the revocations again and again'));
    return { placed, failed, unsure };
  }

  /** Writes a batch; gives back the jobs that lost their place and need another. */
  async function writeBatch(jobs: readonly Job[]): Promise<readonly Job[]> {
    const { placed, failed, unsure } = await placeAll(jobs);
    for (const [job, error] of failed) job.reject(error);
    if (placed.length === 0) return [];
    try {
      await fillAnnounced(unsure);
    } catch (error) {
      // They may be written, but readers may not reach them across the numbers before.
      for (const { job } of placed) job.reject(error);
      return [];
    }
    // They are written, and a reader raises a head that lags: that must not be reported as a
    // failure.
    written = Math.max(...placed.map(({ entry }) => entry.n));
    const isRaised = await log.raiseHead(written).then(
      () => true,
      () => false,
    );
    const again: Job[] = [];
    // The copy of the head must not be ahead of the head.
    const noted = isRaised ? log.raiseMirror(written).catch(() => undefined) : undefined;
    await Promise.all(
      placed.map(async (one) => {
        try {
          if (await stands(one)) one.job.resolve(one.entry);
          else again.push({ ...one.job, attempt: newHexId() });
        } catch (error) {
          one.job.reject(error);
        }
      }),
    );
    await noted;
    return again;
  }

  async function writeAll(): Promise<void> {
    if (isWriting) return;
    isWriting = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MAX_BATCH);
      waiting = waiting.slice(MAX_BATCH);
      try {
        const again = await writeBatch(batch);
        waiting = [...again, ...waiting];
      } catch (error) {
        for (const job of batch) job.reject(error);
      }
    }
    isWriting = false;
  }

  /**
   * Appends an entry after all others and gives it with its number; rejects if it may not have been
   * written.
   */
  return function append(entry: NewEntry): Promise<LogEntry> {
    return new Promise((resolve, reject) => {
      waiting.push({ entry, attempt: newHexId(), resolve, reject });
      void writeAll();
    });
  };
}
