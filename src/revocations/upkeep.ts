import { setImmediate as turn } from 'node:timers/promises';
import { attributes, numberAt, textAt, type Item } from '../aws/attributes.ts';
import { DAY, HOUR, SECOND, type Clock } from '../lib/clock.ts';
import type { SealingKey } from '../lib/sealing.ts';
import { includes, mergeRanges, toRanges, type Ranges } from './compaction.ts';
import type { Lease } from '../aws/lease.ts';
import { toLift, type ReadEntry } from './entry.ts';
import { signEntry, toClosing } from './entry-signature.ts';
import { toHead } from './head.ts';
import type { RevocationLog } from './log.ts';

/**
 * How long an entry stays after its revocation has ended: a clock that is ahead must not remove it
 * too early.
 */
const KEPT = 24 * HOUR;

/**
 * How long a revocation of somebody stays after it was made, be it lifted: it ends for good what
 * they asked for or approved before, which may have waited 7 days, and be used within another, for
 * hours.
 */
const KEPT_FOR_GRANTS = 9 * DAY;

/**
 * How long an instance waits for the lease: if another one is at work, it leaves the work to that.
 */
const PATIENCE = 1 * SECOND;

/**
 * How many entries are signed again, and how many deleted, in one run: a run must end while its
 * lease lasts.
 */
const MAX_CHANGES = 1_000;

type Options = {
  readonly log: RevocationLog;
  readonly lease: Lease;
  readonly clock: Clock;
};

/** What a run has seen of the log. */
type Seen = {
  /** The number of each lifting, and the number that it lifts. */
  readonly lifts: Map<number, number>;
  /** Revocations in force. */
  readonly open: Set<number>;
  /** Entries that no longer matter. */
  readonly dead: Set<number>;
  /** Entries to be signed again. */
  readonly again: ReadEntry[];
};

/** Whether an entry revoked somebody, who may have approved before what is still in use. */
function endsGrants(entry: ReadEntry['entry'], now: number): boolean {
  if (entry.what !== 'revoke') return false;
  const { kind } = entry.target;
  return (kind === 'user' || kind === 'principal') && now <= entry.createdAt + KEPT_FOR_GRANTS;
}

/**
 * Keeps the log in order, one instance at a time. It signs entries of an older key with the one
 * that signs now, closes lifted entries whose writer died before it did, and deletes entries that
 * no longer matter, after it has named their numbers as gone under the TVM's signature.
 *
 * @returns a function that gives how many entries are left under other keys; undefined if another
 *   instance is at work
 */
export function createRevocationUpkeep({ log, lease, clock }: Options) {
  /**
   * The head at the previous run: entries beyond it may not have been read by every instance yet.
   */
  let settled = 0;

  function note(read: ReadEntry, gone: Ranges, seen: Seen): void {
    const { entry, closed, genuine } = read;
    if (!genuine && !closed) return;
    if (read.stale) seen.again.push(read);
    const hasEnded =
      entry.what === 'revoke' && entry.until !== undefined && clock() > entry.until + KEPT;
    const isOver = closed || hasEnded;
    // What is over, and still ends grants, is neither in force nor dead.
    if (isOver && endsGrants(entry, clock()) && !includes(gone, entry.n)) return;
    if (isOver || entry.what === 'void' || includes(gone, entry.n)) seen.dead.add(entry.n);
    else if (entry.what === 'lift') seen.lifts.set(entry.n, entry.lifts);
    else seen.open.add(entry.n);
  }

  async function look(gone: Ranges): Promise<Seen> {
    const seen: Seen = { lifts: new Map(), open: new Set(), dead: new Set(), again: [] };
    for await (const items of log.scan()) {
      for (const item of items) {
        const read = log.understand(item);
        if (read !== undefined) note(read, gone, seen);
      }
      await turn();
    }
    return seen;
  }

  async function compact(
    { dead }: Seen,
    seen: Awaited<ReturnType<RevocationLog['readCompaction']>>,
  ): Promise<void> {
    const numbers = [...dead].filter((n) => n <= settled).slice(0, MAX_CHANGES);
    const ranges = mergeRanges(seen.ranges, toRanges(numbers));
    if (numbers.length === 0 && !seen.stale) return;
    if (!(await log.writeCompaction(seen.version + 1, ranges, seen.item))) return;
    for (const n of numbers) await log.remove(n);
  }

  async function tidy(sealing: SealingKey): Promise<number> {
    const head = await log.readHead();
    const compaction = await log.readCompaction();
    // The readers report a head or compaction that is not genuine.
    if (!head.genuine || !compaction.genuine) return 0;
    if (
      head.item !== undefined &&
      !(textAt(head.item, 'signature') ?? '').startsWith(`${sealing.id}.`)
    ) {
      await log.replace(toHead(head.n, sealing), head.item);
    }
    const seen = await look(compaction.ranges);
    for (const [n, lifts] of seen.lifts) {
      if (seen.open.has(lifts)) await log.close(lifts, n, sealing);
      else seen.dead.add(n);
    }
    for (const read of seen.again.slice(0, MAX_CHANGES)) {
      // Of an entry that is closed but not genuine only the number matters.
      if (read.genuine) await log.replace(signedAnew(read, sealing), read.item);
      else await log.silence(read.entry.n, read.item);
    }
    await compact(seen, compaction);
    settled = head.n;
    return Math.max(0, seen.again.length - MAX_CHANGES);
  }

  return async function upkeep(): Promise<number | undefined> {
    const sealing = log.active();
    if (sealing === undefined) return undefined;
    const left = await lease('revocations', PATIENCE, () => tidy(sealing));
    return left === 'busy' ? undefined : left;
  };
}

/** The same entry under the key that signs now. */
function signedAnew({ entry, closed, item }: ReadEntry, sealing: SealingKey): Item {
  const { signature: _, closing: __, ...plain } = item;
  const signed =
    entry.what === 'lift'
      ? { ...plain, ...attributes({ signature: toLift(entry.n, entry.lifts, sealing).signature }) }
      : signEntry(plain, sealing);
  return closed
    ? { ...signed, ...toClosing(entry.n, numberAt(item, 'closed_by') ?? Number.NaN, sealing) }
    : signed;
}
