import { setTimeout as sleep } from 'node:timers/promises';
import type { Item } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import type { SealingKey } from '../lib/sealing.ts';
import type { Revocation } from './revocation.ts';
import { endOfBatch, signEntry, toItem, toLift, type LogEntry } from './revocation-entry.ts';
import type { RevocationLog } from './revocation-log.ts';

/** What a new entry says; its number is the log's to give. */
export type NewEntry =
  | ({ readonly what: 'revoke' } & Omit<Revocation, 'n'>)
  | { readonly what: 'lift'; readonly lifts: number; readonly sealing: SealingKey };

/** How many entries one batch has: as many writes are under way at a time. */
const MAX_BATCH = 50;

/** How often a batch moves to other numbers, for others keep taking those that it wanted. */
const MAX_ROUNDS = 100;

/** How long numbers that another instance has announced are waited for, before they are made to say nothing. */
const ANNOUNCED = 0.5 * SECOND;
const LOOK = 0.03 * SECOND;

/** How often an entry that does not stand where it was put is put there again. */
const MAX_REPAIRS = 3;

type Job = {
  readonly entry: NewEntry;
  readonly attempt: string;
  readonly resolve: (entry: LogEntry) => void;
  readonly reject: (error: unknown) => void;
};

type Placed = { readonly job: Job; readonly entry: LogEntry; readonly item: Item };

/**
 * Appends entries to the log, one batch of this instance at a time. The first of a batch says how far the batch will
 * reach, so that another instance which meets it goes behind all of them at once:
 *
 *     A  put 8, which says "to 11" ── put 9, 10, 11 ── raise the head to 11 ── read back ── answer
 *     B  put 8: there, "to 11" ── put 12 … 15 ── 9 to 11 are there ── raise the head to 15 ── read back ── answer
 *
 * Whoever dies on the way leaves numbers without entries: whoever comes behind fills them with what says nothing, so
 * that the log has no gap below anything that was ever answered for.
 *
 * @param knownTo the highest number up to which this instance knows that all are there
 */
export function createRevocationWriter(log: RevocationLog, knownTo: () => number) {
  let waiting: Job[] = [];
  let isWriting = false;

  /** Where a batch that finds an entry at n goes on behind; makes what nobody signed the TVM's own on the way. */
  async function endOfOther(n: number): Promise<number> {
    const item = await log.read(n);
    const read = item === undefined ? undefined : log.understand(item);
    if (read === undefined) return n - 1;
    if (read.genuine) return Math.min(endOfBatch(read), n + MAX_BATCH);
    // Below the head nobody makes it good: it was changed.
    if ((await log.readHead()).n < n) await log.adopt(read, false);
    return n;
  }

  function place(job: Job, n: number, last: number | undefined): Placed {
    const { entry: wish } = job;
    const entry: LogEntry = wish.what === 'lift' ? toLift(n, wish.lifts, wish.sealing) : { ...wish, n };
    const item = toItem(entry, last);
    const signed = entry.what === 'lift' ? item : signEntry(item, log.active());
    return { job, entry, item: { ...signed, attempt: { S: job.attempt } } };
  }

  async function put({ job, item }: Placed): Promise<boolean> {
    return (await log.put(item, job.attempt)) === 'done';
  }

  /** Waits until numbers that others have announced are there, and fills those that do not come. */
  async function fill(announced: ReadonlySet<number>): Promise<void> {
    const [last] = [...announced].toSorted((a, b) => b - a);
    if (last === undefined) return;
    for (let waited = 0; waited < ANNOUNCED; waited += LOOK) {
      const head = await log.readHead();
      if (head.genuine && head.n >= last) return;
      await sleep(LOOK);
    }
    await Promise.all([...announced].map((n) => log.silence(n, undefined)));
  }

  /** Whether an entry stands where it was put. What does not is put again; what another stands for has no place. */
  async function stands({ entry: { n }, item }: Placed): Promise<boolean> {
    for (let repair = 0; repair <= MAX_REPAIRS; repair += 1) {
      const there = await log.read(n);
      const isOurs = there?.['attempt']?.S === item['attempt']?.S && there?.['signature']?.S === item['signature']?.S;
      if (isOurs && there !== undefined && log.understand(there)?.genuine !== false) return true;
      if (there !== undefined && !isOurs && log.understand(there)?.genuine === true) return false;
      await log.replace(item, there);
    }
    throw new Error(`entry ${n} of the revocations does not stand where it was written`);
  }

  /** Finds numbers for a batch. Gives what was placed, what failed with its error, and what others announced before. */
  async function placeAll(jobs: readonly Job[]) {
    const placed: Placed[] = [];
    const failed = new Map<Job, unknown>();
    const unsure = new Set<number>();
    const head = await log.readHead();
    let n = Math.max(head.genuine ? head.n : 0, knownTo()) + 1;
    let left = jobs;
    for (let round = 0; left.length > 0 && round < MAX_ROUNDS; round += 1) {
      const [first, ...others] = left;
      if (first === undefined) break;
      const last = n + left.length - 1;
      const leader = place(first, n, left.length > 1 ? last : undefined);
      if (!(await put(leader))) {
        const end = await endOfOther(n);
        for (let number = n + 1; number <= end; number += 1) unsure.add(number);
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
    for (const job of left) failed.set(job, new Error('others take the numbers of the revocations again and again'));
    return { placed, failed, unsure };
  }

  /** Writes a batch; gives those jobs back that lost their place and want another. */
  async function writeBatch(jobs: readonly Job[]): Promise<readonly Job[]> {
    const { placed, failed, unsure } = await placeAll(jobs);
    for (const [job, error] of failed) job.reject(error);
    if (placed.length === 0) return [];
    try {
      await fill(unsure);
    } catch (error) {
      // They may stand; nobody can know whether others come to them over what lies before.
      for (const { job } of placed) job.reject(error);
      return [];
    }
    // They stand, and whoever reads them raises a head that lags: they must not be told as failed.
    await log.raiseHead(Math.max(...placed.map(({ entry }) => entry.n))).catch(() => undefined);
    const again: Job[] = [];
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

  /** Appends an entry behind all others and gives it with its number; rejects where it may not stand. */
  return function append(entry: NewEntry): Promise<LogEntry> {
    return new Promise((resolve, reject) => {
      waiting.push({ entry, attempt: newHexId(), resolve, reject });
      void writeAll();
    });
  };
}
