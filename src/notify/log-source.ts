import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, numberAt } from '../aws/attributes.ts';
import { putNew, readItem } from '../aws/table.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import { attemptsOf, createClaims, dueAt, FORGET, NAMES } from './claims.ts';
import type { Event } from './event.ts';
import type { Claimed, Ref, Source } from './source.ts';

const DEADLINE = 3 * SECOND;

type Options = {
  readonly client: DynamoDBClient;
  /** The guard table, which only the TVM writes. */
  readonly guard: string;
  /** What the log is called, in the id of the item that says how far it was told of. */
  readonly name: string;
  readonly clock: Clock;
  /** The number of the last entry; 0 where there is none. */
  readonly last: () => Promise<number>;
  /**
   * The events of an entry: none where it has nothing to tell; undefined unless a TVM wrote it as
   * it stands there.
   */
  readonly toEvents: (n: number) => Promise<readonly Event[] | undefined>;
};

/** What an entry is called in this room. */
function refTo(n: number, attempts: number): Ref {
  return { id: String(n), version: n, attempts };
}

/**
 * The outbox of a log whose entries are numbered without a gap and never change: an item of the
 * guard table holds the number up to which all was sent, and entries are sent one after the other.
 * It begins with what is written after the first look.
 */
export function createLogSource({ client, guard, name, clock, last, toEvents }: Options): Source {
  const table = { client, name: guard, deadline: DEADLINE };
  const itemId = `events#${name}`;
  const claims = createClaims(table, clock, ({ version }) => ({
    condition: '#n = :before',
    names: { '#n': 'n' },
    values: attributes({ ':before': version - 1 }),
  }));

  async function pending(): Promise<readonly Ref[]> {
    const [item, end] = await Promise.all([readItem(table, itemId), last()]);
    if (item === undefined) {
      await putNew(table, attributes({ id: itemId, n: end }), String(end));
      return [];
    }
    const n = numberAt(item, 'n') ?? 0;
    return n < end && dueAt(item) <= clock() ? [refTo(n + 1, attemptsOf(item))] : [];
  }

  async function claim(ref: Ref): Promise<Claimed | undefined> {
    const taken = await claims.take(itemId, ref);
    return taken && { ...taken.claimed, events: await toEvents(ref.version) };
  }

  function goOn(claimed: Claimed): Promise<void> {
    const values = attributes({ ':n': claimed.version });
    return claims.settle(itemId, claimed, {
      update: `SET #n = :n ${FORGET}`,
      names: NAMES,
      values,
    });
  }

  function again(claimed: Claimed, notBefore: number, sent: readonly string[]): Promise<void> {
    return claims.postpone(itemId, claimed, notBefore, sent);
  }

  return { name, pending, claim, done: goOn, again, dead: goOn };
}
