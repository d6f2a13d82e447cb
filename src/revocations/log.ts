import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, flagAt, numberAt, type Item } from '../aws/attributes.ts';
import { deleteIf, putIf, putNew, readItem, scanPages, updateIf, type WriteOutcome } from '../aws/table.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import { activeSealingKey, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import { COMPACTION_ID, readCompaction, toCompactionItem, type Ranges } from './compaction.ts';
import {
  idOf,
  readEntry,
  readHead,
  signClosing,
  signEntry,
  signHead,
  toHead,
  toItem,
  type ReadEntry,
} from './entry.ts';

/** What one call may take. A reader that waits longer knows no more than one that failed. */
const DEADLINE = 3 * SECOND;
const READ_DEADLINE = 1.2 * SECOND;

/** Items of one page of a scan: reading one keeps the process from nothing else for more than some milliseconds. */
const PAGE = 250;

/** Two that write one item at once: the later one looks again. */
const MAX_ATTEMPTS = 5;

/** How far the log reached when that was last noted where nobody but the TVM's own role writes. */
export type Mirror = { readonly n: number; readonly signed: boolean };

const MIRROR = 'revocations#head';

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  /** The guard table: what whoever may write the log cannot write. */
  readonly guard: string;
  readonly sealingKeys: () => SealingKeys;
  readonly clock: Clock;
};

/** That an item is still as it was read, or still not there. */
function unchanged(seen: Item | undefined) {
  if (seen === undefined) return { condition: 'attribute_not_exists(id)' };
  const terms: string[] = ['attribute_exists(id)'];
  const names: Record<string, string> = {};
  const values: Item = {};
  for (const [index, name] of ['n', 'signature', 'attempt', 'version', 'closing'].entries()) {
    const value = seen[name];
    names[`#a${index}`] = name;
    if (value !== undefined) values[`:a${index}`] = value;
    terms.push(value === undefined ? `attribute_not_exists(#a${index})` : `#a${index} = :a${index}`);
  }
  return { condition: terms.join(' AND '), names, ...(Object.keys(values).length === 0 ? {} : { values }) };
}

/**
 * The log of revocations in `sentinel-revocations`: entries `rev#<n>` without a gap; `head`, which is at least as far as
 * any entry that was ever answered for, and never goes back; and `compaction`, which names the numbers that are gone.
 * There is no index, no clock and no order to lose: who has read n reads n + 1 next. How far the head was is noted in
 * the guard table as well.
 *
 * All of it is signed. What others wrote may revoke; it may not lift, end, or make anything be gone.
 */
export function createRevocationLog({ client, table: name, guard: guardName, sealingKeys, clock }: Options) {
  const table = { client, name, deadline: DEADLINE };
  const reads = { ...table, deadline: READ_DEADLINE };
  const guard = { client, name: guardName, deadline: DEADLINE };

  function active(): SealingKey | undefined {
    return activeSealingKey(sealingKeys(), clock());
  }

  function understand(item: Item, believed = active() === undefined): ReadEntry | undefined {
    return readEntry(item, sealingKeys(), active(), believed);
  }

  /** How far the log reached, as the guard table has it; undefined if it has never been noted. */
  async function readMirror(): Promise<Mirror | undefined> {
    const item = await readItem({ ...guard, deadline: READ_DEADLINE }, MIRROR);
    return item === undefined ? undefined : { n: numberAt(item, 'n') ?? 0, signed: flagAt(item, 'signed') === true };
  }

  async function raiseMirror(n: number): Promise<void> {
    const signed = active() !== undefined;
    await updateIf(guard, MIRROR, 'SET #n = :n, #signed = :signed', {
      // Once it is signed it stays so.
      condition: signed
        ? 'attribute_not_exists(id) OR #n < :n OR #signed <> :signed'
        : 'attribute_not_exists(id) OR (#n < :n AND #signed = :signed)',
      names: { '#n': 'n', '#signed': 'signed' },
      values: attributes({ ':n': n, ':signed': signed }),
    });
  }

  async function head() {
    const item = await readItem(reads, 'head');
    const read = readHead(item, sealingKeys());
    // Where there is none there has been nothing yet; where nobody can sign, nobody has.
    return { ...read, genuine: read.genuine || item === undefined || active() === undefined, item };
  }

  /** Raises a head that is lower, in one write; false where it is as high, or not a number that the TVM signed. */
  async function raiseLower(n: number): Promise<boolean> {
    const outcome = await updateIf(table, 'head', 'SET #n = :n, #signature = :signature', {
      condition: 'attribute_not_exists(#n) OR #n < :n',
      names: { '#n': 'n', '#signature': 'signature' },
      values: attributes({ ':n': n, ':signature': signHead(n, active()) ?? '' }),
    });
    return outcome === 'done';
  }

  /** Raises the head to n, unless it is there already; puts one right that the TVM did not write. */
  async function raiseHead(n: number): Promise<void> {
    if (active() !== undefined && (await raiseLower(n))) return;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { n: current, genuine, item } = await head();
      // Who has no key yet leaves alone what somebody signed.
      if (active() === undefined && item?.['signature'] !== undefined) return;
      const isThere = genuine && item !== undefined && current >= n;
      if (isThere || (await putIf(table, toHead(n, active()), unchanged(item))) === 'done') return;
    }
    throw new Error('the head of the revocations is written by others again and again');
  }

  /** Signs an entry that nobody signed, without its end; one that cannot be read from then on says nothing. */
  function adopt(read: ReadEntry, withEnd: boolean): Promise<WriteOutcome> {
    const { n } = read.entry;
    const { until, ttl: _, ...rest } = read.item;
    const kept = withEnd && until !== undefined ? { ...rest, until } : rest;
    const asRead =
      read.entry.what === 'revoke' && read.entry.own === true ? { ...kept, ...attributes({ own: true }) } : kept;
    const item = read.entry.what === 'revoke' ? asRead : toItem({ what: 'void', n }, undefined);
    return putIf(table, signEntry(item, active()), unchanged(read.item));
  }

  /** The same for a writer, which has more time than those who wait for what is revoked. */
  function readPatiently(n: number): Promise<Item | undefined> {
    return readItem(table, idOf(n));
  }

  /** All items of the table, read consistently to the last page. */
  function scan(): AsyncGenerator<readonly Item[]> {
    return scanPages(table, PAGE);
  }

  /** Puts an item at its number; `refused` if another's is there. One of our own, put twice by the SDK, is ours. */
  function put(item: Item, attempt: string): Promise<WriteOutcome> {
    return putNew(table, item, attempt);
  }

  /** Puts an item over what was seen there. */
  function replace(item: Item, seen: Item | undefined): Promise<WriteOutcome> {
    return putIf(table, item, unchanged(seen));
  }

  /** Makes the number n say nothing, whatever was seen there: what nobody can verify, or nothing at all. */
  function silence(n: number, seen: Item | undefined): Promise<WriteOutcome> {
    return putIf(table, signEntry(toItem({ what: 'void', n }, undefined), active()), unchanged(seen));
  }

  /** Closes entry n, which the entry `by` lifts, so that the lifting needs no other proof. */
  async function close(n: number, by: number, sealing: SealingKey): Promise<void> {
    await updateIf(table, idOf(n), 'SET closed_by = :by, closing = :closing', {
      condition: 'attribute_exists(id)',
      values: attributes({ ':by': by, ':closing': signClosing(n, by, sealing) }),
    });
  }

  /** Names more numbers as gone; false if that cannot be now. `seen`: what was read. */
  async function writeCompaction(version: number, ranges: Ranges, seen: Item | undefined): Promise<boolean> {
    const item = toCompactionItem(version, ranges, active());
    return item !== undefined && (await putIf(table, item, unchanged(seen))) === 'done';
  }

  /** Deletes what is named as gone. */
  function remove(n: number): Promise<WriteOutcome> {
    return deleteIf(table, idOf(n), { condition: 'attribute_exists(id)' });
  }

  return {
    active,
    understand,
    readMirror,
    raiseMirror,
    readHead: head,
    raiseHead,
    adopt /** The item at n, read consistently; undefined if there is none (yet, or any more). */,
    read: (n: number): Promise<Item | undefined> => readItem(reads, idOf(n)),
    readPatiently,
    scan,
    put,
    replace,
    silence,
    close,
    readCompaction: async (believed = active() === undefined) => {
      const item = await readItem(reads, COMPACTION_ID);
      return { ...readCompaction(item, sealingKeys(), active(), believed), item };
    },
    writeCompaction,
    remove,
  };
}

export type RevocationLog = ReturnType<typeof createRevocationLog>;
