import { createHash } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, numberAt, textAt, toTtl } from '../aws/attributes.ts';
import { updateAs, type Change } from '../aws/change.ts';
import { readItem } from '../aws/table.ts';
import { DAY } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import { CALL_DEADLINE, KEPT } from './bounds.ts';

/** One use of break-glass that is on record. Times in epoch milliseconds. */
export type Use = {
  /** The id of the event. */
  readonly id: string;
  readonly profile: string;
  /** When it was opened. */
  readonly at: number;
  /** When it ends at the latest. */
  readonly until: number;
  /**
   * From when on the review that it owes blocks the person's next use; undefined where it owes
   * none.
   */
  readonly reviewBy: number | undefined;
  /** Whether its row is known to have been written: an event that never was owes nothing. */
  readonly opened: boolean;
};

/** Whose uses a ledger holds. Drills are in ledgers of their own. */
export type LedgerName = {
  readonly of: 'person' | 'profile';
  /** One of the names of a person (see `ledgerNamesOf`), or the name of a profile. */
  readonly name: string;
  readonly drill: boolean;
};

/** The uses on record of one name, as they were read. */
export type UseLedger = {
  readonly name: LedgerName;
  readonly uses: readonly Use[];
  readonly version: number;
};

/**
 * As many uses are on record at most: no rate rule counts further. Beyond, the oldest are forgotten
 * that are over, owe no review and are not the last of their profile. If there is nothing to
 * forget, there is no further use: {@link withUse} says `full`.
 */
export const MAX_USES = 500;

/**
 * Where uses are counted, consistently: items of the guard table, which only the TVM writes. They
 * are written before the row of an event, so that what dies in between costs a use and never gives
 * one.
 */
export type UseLedgers = {
  readonly read: (name: LedgerName, now: number) => Promise<UseLedger>;
  /** Writes other uses into a ledger, if nobody has written it since it was read. */
  readonly write: (ledger: UseLedger, uses: readonly Use[]) => Promise<'written' | 'lost'>;
};

/** By a hash: a name may be long, and hold what an id may not. */
function itemId({ of, name, drill }: LedgerName): string {
  const text = JSON.stringify([of, name, drill ? 'drill' : 'use']);
  return `break-glass#${createHash('sha256').update(text).digest('hex')}`;
}

/** As JSON holds it, without the member that is undefined. */
type StoredUse = Omit<Use, 'reviewBy'> & { readonly reviewBy?: number };

function toUse(stored: StoredUse): Use {
  return { ...stored, reviewBy: stored.reviewBy };
}

/**
 * What still counts: for as long as rate rules can look back, and until a review that is owed is
 * done.
 */
function isKept({ at, until, reviewBy }: Use, now: number): boolean {
  return reviewBy !== undefined || until > now || at > now - KEPT;
}

/**
 * A ledger with other uses, if nobody has written it since it was read, or this very attempt did.
 */
function toChange({ version }: UseLedger, uses: readonly Use[], attempt: string): Change {
  const last = Math.max(0, ...uses.map(({ at, until }) => Math.max(at + KEPT, until)));
  const owes = uses.some(({ reviewBy }) => reviewBy !== undefined);
  const isNew = version === 0;
  return {
    update: `SET #uses = :uses, #version = :next, #attempt = :attempt${owes ? ' REMOVE #ttl' : ', #ttl = :ttl'}`,
    condition: `${isNew ? 'attribute_not_exists(id)' : '#version = :before'} OR #attempt = :attempt`,
    names: { '#uses': 'uses', '#version': 'version', '#attempt': 'attempt', '#ttl': 'ttl' },
    values: attributes({
      ':uses': JSON.stringify(uses),
      ':next': version + 1,
      ':before': isNew ? undefined : version,
      ':attempt': attempt,
      // A day later than nothing in it counts, whatever DynamoDB's clock says.
      ':ttl': owes ? undefined : toTtl(last + DAY),
    }),
  };
}

/** Constructs the ledgers. */
export function createUseLedgers(client: DynamoDBClient, guard: string): UseLedgers {
  const table = { client, name: guard, deadline: CALL_DEADLINE };

  async function read(name: LedgerName, now: number): Promise<UseLedger> {
    const item = await readItem(table, itemId(name));
    const uses = (JSON.parse(textAt(item, 'uses') ?? '[]') as readonly StoredUse[]).map(toUse);
    return {
      name,
      uses: uses.filter((use) => isKept(use, now)),
      version: numberAt(item, 'version') ?? 0,
    };
  }

  async function write(ledger: UseLedger, uses: readonly Use[]): Promise<'written' | 'lost'> {
    const attempt = newHexId();
    const outcome = await updateAs(
      table,
      itemId(ledger.name),
      attempt,
      toChange(ledger, uses, attempt),
    );
    return outcome === 'refused' ? 'lost' : 'written';
  }

  return { read, write };
}

/**
 * The uses of a ledger and one more, without the oldest if there is no more room; `full` if there
 * is none to be made.
 */
export function withUse(uses: readonly Use[], use: Use, now: number): readonly Use[] | 'full' {
  const newest = new Map<string, Use>();
  for (const one of uses) {
    const other = newest.get(one.profile);
    if (other === undefined || other.at < one.at) newest.set(one.profile, one);
  }
  function isNeeded(one: Use): boolean {
    return one.until > now || one.reviewBy !== undefined || newest.get(one.profile) === one;
  }
  const spare = uses.length + 1 - MAX_USES;
  if (spare <= 0) return [...uses, use];
  const forgotten = new Set(
    uses
      .filter((one) => !isNeeded(one))
      .toSorted((a, b) => a.at - b.at)
      .slice(0, spare),
  );
  return forgotten.size < spare ? 'full' : [...uses.filter((one) => !forgotten.has(one)), use];
}
