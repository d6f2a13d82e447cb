import { createHash } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { putSure } from '../aws/put-sure.ts';
import { attributes, numberAt, textAt, toTtl, type Item } from '../aws/attributes.ts';
import { readItem } from '../aws/table.ts';
import { newHexId } from '../lib/ids.ts';
import { DAY, SECOND } from '../lib/clock.ts';

/** What a ledger holds of one request. */
export type LedgerEntry = {
  readonly id: string;
  readonly profile: string;
  /** When it was made, epoch milliseconds. */
  readonly at: number;
  /** When the request, or the grant that came of it, ends at the latest: epoch milliseconds. */
  readonly until: number;
  /**
   * Whether the request is pending as far as the ledger knows: it is told of approvals, not of all
   * else.
   */
  readonly pending: boolean;
  /**
   * When the first use began the time of the grant, epoch milliseconds. Here, for a row from before
   * that, which somebody put back, would begin anew.
   */
  readonly startsAt?: number | undefined;
  /** The id of the first request of the chain that it extends; undefined where it extends none. */
  readonly root?: string | undefined;
};

/** The requests of one identity, as they were read. */
export type Ledger = { readonly entries: readonly LedgerEntry[]; readonly version: number };

/**
 * As many requests and grants may be in one ledger: 10 pending ones are allowed, and grants last
 * some hours.
 */
export const MAX_ENTRIES = 100;

/** How long a call for a ledger may take. */
const DEADLINE = 3 * SECOND;

/** DynamoDB may forget a ledger only when nothing in it is live, whatever its clock says. */
const KEPT = DAY;

/**
 * Where the requests of an identity are found, consistently: an item of the guard table, which only
 * the TVM writes. It is written before the row of a request, so that what dies in between costs a
 * place until the request would have expired, and never leaves a request that nobody counts.
 */
export type Ledgers = {
  /** Reads the ledger of a stored name, without what has ended. */
  readonly read: (name: string, now: number) => Promise<Ledger>;
  /** Writes it, if nobody has since it was read. */
  readonly write: (
    name: string,
    entries: readonly LedgerEntry[],
    version: number,
  ) => Promise<'written' | 'lost'>;
};

/** By a hash: a name may be long, and hold what an id may not. */
function itemId(name: string): string {
  return `requests#${createHash('sha256').update(name).digest('hex')}`;
}

function toItem(name: string, entries: readonly LedgerEntry[], version: number): Item {
  const last = Math.max(0, ...entries.map(({ until }) => until));
  return attributes({
    id: itemId(name),
    version,
    requests: JSON.stringify(entries),
    ttl: toTtl(last + KEPT),
  });
}

/** Constructs the ledgers of requests. */
export function createLedgers(client: DynamoDBClient, guard: string): Ledgers {
  const table = { client, name: guard, deadline: DEADLINE };

  async function read(name: string, now: number): Promise<Ledger> {
    const item = await readItem(table, itemId(name));
    const entries = JSON.parse(textAt(item, 'requests') ?? '[]') as readonly LedgerEntry[];
    return {
      entries: entries.filter(({ until }) => until > now),
      version: numberAt(item, 'version') ?? 0,
    };
  }

  async function write(
    name: string,
    entries: readonly LedgerEntry[],
    version: number,
  ): Promise<'written' | 'lost'> {
    const condition =
      version === 0
        ? { condition: 'attribute_not_exists(id)' }
        : {
            condition: '#version = :before',
            names: { '#version': 'version' },
            values: attributes({ ':before': version }),
          };
    const outcome = await putSure(table, toItem(name, entries, version + 1), condition, newHexId());
    return outcome === 'done' ? 'written' : 'lost';
  }

  return { read, write };
}
