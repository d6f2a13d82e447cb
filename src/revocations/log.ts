import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, type Item } from '../aws/attributes.ts';
import {
  deleteIf,
  putIf,
  putNew,
  readItem,
  scanPages,
  updateIf,
  type WriteOutcome,
} from '../aws/table.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import { activeSealingKey, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import { COMPACTION_ID, readCompaction, toCompactionItem, type Ranges } from './compaction.ts';
import { idOf, readEntry, toItem, type ReadEntry } from './entry.ts';
import { signClosing, signEntry } from './entry-signature.ts';
import { readHead, signHead, toHead } from './head.ts';
import { createMirror } from './mirror.ts';
import { unchanged } from './unchanged.ts';

/** How long one call may take that writes, its retries included. */
const DEADLINE = 3 * SECOND;

/** How long one reading may take: what is known must stay within its bound. */
const READ_DEADLINE = 1.2 * SECOND;

/** Items of one page of a scan: a page may occupy the process for some milliseconds. */
const PAGE = 250;

/**
 * How many tries writing the head gets: each fails only if another instance has just written it.
 */
const MAX_ATTEMPTS = 5;

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  /** The guard table, which others who may write the log cannot write. */
  readonly guard: string;
  readonly sealingKeys: () => SealingKeys;
  readonly clock: Clock;
};

/**
 * The log of revocations in `sentinel-revocations`: entries `rev#<n>` without a gap; `head`, which
 * is at least as high as any entry whose writer was told that it is written, and never goes back;
 * and `compaction`, which names the numbers that are gone. It needs no index and no clock: after
 * entry n a reader reads n + 1. The guard table has a copy of the head.
 *
 * All of it is signed. What others wrote may revoke; it can neither lift nor end a revocation, nor
 * make an entry be gone.
 */
export function createRevocationLog({
  client,
  table: name,
  guard: guardName,
  sealingKeys,
  clock,
}: Options) {
  const table = { client, name, deadline: DEADLINE };
  const reads = { ...table, deadline: READ_DEADLINE };
  const mirror = createMirror(
    { client, name: guardName, deadline: DEADLINE },
    READ_DEADLINE,
    () => active() !== undefined,
  );

  /** The key that signs now. */
  function active(): SealingKey | undefined {
    return activeSealingKey(sealingKeys(), clock());
  }

  /** Reads an item; undefined if it is no entry. `believed`: genuine even without a signature. */
  function understand(item: Item, believed = active() === undefined): ReadEntry | undefined {
    return readEntry(item, sealingKeys(), active(), believed);
  }

  /** Reads the head; `item` is undefined if there is none. */
  async function head() {
    const item = await readItem(reads, 'head');
    const read = readHead(item, sealingKeys());
    // Without a head nothing has been written yet; without a key to sign with, nothing has been
    // signed.
    return { ...read, genuine: read.genuine || item === undefined || active() === undefined, item };
  }

  /** Raises a lower head in one write; false if it is as high already. */
  async function raiseLower(n: number): Promise<boolean> {
    const outcome = await updateIf(table, 'head', 'SET #n = :n, #signature = :signature', {
      condition: 'attribute_not_exists(#n) OR #n < :n',
      names: { '#n': 'n', '#signature': 'signature' },
      values: attributes({ ':n': n, ':signature': signHead(n, active()) ?? '' }),
    });
    return outcome === 'done';
  }

  /** Raises the head to n unless it is there, and replaces one that the TVM did not write. */
  async function raiseHead(n: number): Promise<void> {
    if (active() !== undefined && (await raiseLower(n))) return;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { n: current, genuine, item } = await head();
      // An instance that has no key yet leaves a signed head alone.
      if (active() === undefined && item?.['signature'] !== undefined) return;
      const isThere = genuine && item !== undefined && current >= n;
      if (isThere || (await putIf(table, toHead(n, active()), unchanged(item))) === 'done') return;
    }
    throw new Error('the head of the revocations is written by others again and again');
  }

  /**
   * Signs an entry that nobody signed, with or without its end. One that makes no sense is replaced
   * by `void`.
   */
  function adopt(read: ReadEntry, withEnd: boolean): Promise<WriteOutcome> {
    const { n } = read.entry;
    const { until, ttl: _, ...rest } = read.item;
    const kept = withEnd && until !== undefined ? { ...rest, until } : rest;
    const asRead =
      read.entry.what === 'revoke' && read.entry.own
        ? { ...kept, ...attributes({ own: true }) }
        : kept;
    const item = read.entry.what === 'revoke' ? asRead : toItem({ what: 'void', n }, undefined);
    return putIf(table, signEntry(item, active()), unchanged(read.item));
  }

  /** The item at n, read consistently; undefined if there is none, not yet or no longer. */
  function read(n: number): Promise<Item | undefined> {
    return readItem(reads, idOf(n));
  }

  /** The same for a writer, which may wait longer than readers. */
  function readPatiently(n: number): Promise<Item | undefined> {
    return readItem(table, idOf(n));
  }

  /** Reads all items of the table, consistently, to the last page. */
  function scan(): AsyncGenerator<readonly Item[]> {
    return scanPages(table, PAGE);
  }

  /** Puts an item at its number; `refused` if another's is there. A repeated put is not refused. */
  function put(item: Item, attempt: string): Promise<WriteOutcome> {
    return putNew(table, item, attempt);
  }

  /** Puts an item over what was seen there. */
  function replace(item: Item, seen: Item | undefined): Promise<WriteOutcome> {
    return putIf(table, item, unchanged(seen));
  }

  /**
   * Replaces what was seen at n, an entry that cannot be verified or nothing, by an entry that says
   * nothing.
   */
  function silence(n: number, seen: Item | undefined): Promise<WriteOutcome> {
    return putIf(
      table,
      signEntry(toItem({ what: 'void', n }, undefined), active()),
      unchanged(seen),
    );
  }

  /** Closes entry n, which the entry `by` lifts: from then on entry n itself says so. */
  async function close(n: number, by: number, sealing: SealingKey): Promise<void> {
    await updateIf(table, idOf(n), 'SET closed_by = :by, closing = :closing', {
      condition: 'attribute_exists(id)',
      values: attributes({ ':by': by, ':closing': signClosing(n, by, sealing) }),
    });
  }

  /** Reads which numbers are gone. */
  async function readGone(believed = active() === undefined) {
    const item = await readItem(reads, COMPACTION_ID);
    return { ...readCompaction(item, sealingKeys(), active(), believed), item };
  }

  /**
   * Replaces the compaction that was seen; false if another instance has just written it, or if it
   * would be too large.
   */
  async function writeCompaction(
    version: number,
    ranges: Ranges,
    seen: Item | undefined,
  ): Promise<boolean> {
    const item = toCompactionItem(version, ranges, active());
    return item !== undefined && (await putIf(table, item, unchanged(seen))) === 'done';
  }

  /** Deletes an entry that is named as gone. */
  function remove(n: number): Promise<WriteOutcome> {
    return deleteIf(table, idOf(n), { condition: 'attribute_exists(id)' });
  }

  return {
    active,
    understand,
    readMirror: mirror.read,
    raiseMirror: mirror.raise,
    readHead: head,
    raiseHead,
    adopt,
    read,
    readPatiently,
    scan,
    put,
    replace,
    silence,
    close,
    readCompaction: readGone,
    writeCompaction,
    remove,
  };
}

/** Reads and writes the log of revocations. */
export type RevocationLog = ReturnType<typeof createRevocationLog>;
