import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, textAt, toTtl } from './attributes.ts';
import { deleteIf, putIf, readItem } from './table.ts';
import { HOUR, SECOND, type Clock } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';

/** Longer than what is done under it may take. */
const HELD = 30 * SECOND;
const DEADLINE = 3 * SECOND;
/** How long a waiting holder-to-be pauses between two tries. */
const PAUSE = 0.25 * SECOND;

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  /** For the item's time to live only. */
  readonly clock: Clock;
  /** Milliseconds that no change of the machine's time moves. */
  readonly monotonic: Clock;
  readonly sleep: (ms: number) => Promise<unknown>;
};

type Held = { readonly holder: string; readonly since: number };

/**
 * Runs something while nobody else does, on any instance: an item of the guard table with the holder's id, deleted at
 * the end. Who dies holding it is waited for: whoever has seen one holder for 30 seconds, by a clock of its own, takes
 * it over, so that no two instances need the same time. A holder whose run takes longer has lost it without knowing:
 * what is done under it must bear that.
 */
export function createLease({ client, table: name, clock, monotonic, sleep }: Options) {
  const table = { client, name, deadline: DEADLINE };
  /** By lease, who was seen to hold it, and since when. One entry for each lease that this process ever waited for. */
  const seen = new Map<string, Held>();

  async function take(id: string, holder: string): Promise<boolean> {
    const before = seen.get(id);
    const isDead = before !== undefined && monotonic() - before.since > HELD;
    const outcome = await putIf(table, attributes({ id, holder, ttl: toTtl(clock() + HOUR) }), {
      condition: 'attribute_not_exists(id) OR #h = :holder OR #h = :dead',
      names: { '#h': 'holder' },
      // No holder has such an id.
      values: attributes({ ':holder': holder, ':dead': isDead ? before.holder : '-' }),
    });
    if (outcome === 'done') return true;
    const other = textAt(await readItem(table, id), 'holder');
    if (other !== undefined && other !== before?.holder) seen.set(id, { holder: other, since: monotonic() });
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
      // It is taken over by whoever waits long enough.
    }
  }

  /** Gives the value of the run, or `busy` if the lease was not to be had in `patience` milliseconds. */
  async function lease<Value>(what: string, patience: number, run: () => Promise<Value>): Promise<Value | 'busy'> {
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
