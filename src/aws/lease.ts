import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, textAt, toTtl } from './attributes.ts';
import { deleteIf, putIf, readItem } from './table.ts';
import { HOUR, SECOND, type Clock } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';

/**
 * How long the same holder must be seen before it counts as dead: longer than any run under a lease
 * may take.
 */
const HELD = 30 * SECOND;

/** How long one call of DynamoDB may take, its retries included. */
const DEADLINE = 3 * SECOND;

/** The pause between two tries to take a lease that is held: each try costs a write and a read. */
const PAUSE = 0.25 * SECOND;

/**
 * How long DynamoDB keeps the item of a lease that nobody gave back: far longer than it can matter.
 */
const KEPT = HOUR;

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  /** For the item's time to live only. */
  readonly clock: Clock;
  /** Milliseconds that a change of the machine's time does not move. */
  readonly monotonic: Clock;
  readonly sleep: (ms: number) => Promise<unknown>;
};

type Held = { readonly holder: string; readonly since: number };

/**
 * Runs something on one instance at a time. The lease is an item of the guard table with the
 * holder's id, deleted at the end. An instance that has seen the same holder for 30 seconds, by its
 * own clock, takes the holder for dead and the lease over; so the clocks of instances need not
 * agree. A holder whose run takes longer has lost the lease without knowing, so whatever runs under
 * a lease must bear a second one beside it.
 */
export function createLease({ client, table: name, clock, monotonic, sleep }: Options) {
  const table = { client, name, deadline: DEADLINE };
  /**
   * Cache: lease → its holder and since when this process has seen it; one entry for each lease
   * that it waited for.
   */
  const seen = new Map<string, Held>();

  async function take(id: string, holder: string): Promise<boolean> {
    const before = seen.get(id);
    const isDead = before !== undefined && monotonic() - before.since > HELD;
    const outcome = await putIf(table, attributes({ id, holder, ttl: toTtl(clock() + KEPT) }), {
      condition: 'attribute_not_exists(id) OR #h = :holder OR #h = :dead',
      names: { '#h': 'holder' },
      // No holder has such an id.
      values: attributes({ ':holder': holder, ':dead': isDead ? before.holder : '-' }),
    });
    if (outcome === 'done') return true;
    const other = textAt(await readItem(table, id), 'holder');
    if (other !== undefined && other !== before?.holder)
      seen.set(id, { holder: other, since: monotonic() });
    return false;
  }

  async function give(id: string, holder: string): Promise<void> {
    try {
      await deleteIf(table, id, {
        condition: '#h = :holder',
        names: { '#h': 'holder' },
        values: attributes({ ':holder': holder }),
      });
    } catch {
      // Another instance takes it over once it has waited long enough.
    }
  }

  /**
   * Gives the value of the run, or `busy` if the lease could not be taken within `patience`
   * milliseconds.
   */
  async function lease<Value>(
    what: string,
    patience: number,
    run: () => Promise<Value>,
  ): Promise<Value | 'busy'> {
    const id = `lease#${what}`;
    const holder = newHexId();
    const end = monotonic() + patience;
    while (!(await take(id, holder))) {
      if (monotonic() >= end) return 'busy';
      await sleep(PAUSE);
    }
    try {
      return await run();
    } finally {
      await give(id, holder);
    }
  }

  return lease;
}

export type Lease = ReturnType<typeof createLease>;
