import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, numberAt, textAt, type Item } from '../aws/attributes.ts';
import { isIndexMissing } from '../aws/error-codes.ts';
import { readPage, type IndexQuery } from '../aws/table.ts';
import { HOUR, SECOND, type Clock } from '../lib/clock.ts';
import { attemptsOf, createClaims, FORGET, IS_DUE, NAMES } from './claims.ts';
import type { Event } from './event.ts';
import type { Claimed, Ref, Source } from './source.ts';

/**
 * What whoever writes a version of a row adds to it, if there is a receiver. Putting a whole row
 * ends a claim on it.
 */
export const OUTBOX_PENDING = { outbox: 'pending' } as const;

/** Whether something of a row is not sent yet. */
export function isOutboxPending(item: Item): boolean {
  return textAt(item, 'outbox') === OUTBOX_PENDING.outbox;
}

const DEADLINE = 3 * SECOND;

/**
 * Rows that are read at a time, and pages that one look at the outbox reads before it leaves the
 * rest to the next.
 */
const PAGE = 100;
const MAX_PAGES = 5;

/**
 * How long the index is taken for missing before it is looked for again: a table can be given one
 * at any time.
 */
const WITHOUT_INDEX = 1 * HOUR;

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  /** For the claims of rows. */
  readonly clock: Clock;
  /** Values of `status`: what is looked through where a table that was kept has no `gsi-outbox`. */
  readonly statuses: readonly string[];
  /** The events of a row; undefined unless a TVM has signed what they are made of. */
  readonly toEvents: (item: Item) => readonly Event[] | undefined;
};

function toRef(item: Item): Ref {
  return {
    id: textAt(item, 'id') ?? '',
    version: numberAt(item, 'version') ?? Number.NaN,
    attempts: attemptsOf(item),
  };
}

/** Rows of the outbox whose next try is due, oldest first. */
function byOutbox(now: number): IndexQuery {
  return {
    index: 'gsi-outbox',
    condition: '#outbox = :pending',
    filter: IS_DUE,
    names: { '#outbox': 'outbox', '#after': NAMES['#after'] },
    values: attributes({ ':pending': 'pending', ':now': now }),
    order: 'rising',
    limit: PAGE,
  };
}

/** The same of one status, newest first: what has just happened is on the first page. */
function byStatus(status: string, now: number): IndexQuery {
  return {
    index: 'gsi-status',
    condition: '#status = :status',
    filter: `#outbox = :pending AND ${IS_DUE}`,
    names: { '#status': 'status', '#outbox': 'outbox', '#after': NAMES['#after'] },
    values: attributes({ ':status': status, ':pending': 'pending', ':now': now }),
    order: 'falling',
    limit: PAGE,
  };
}

/**
 * Finds rows that have something to send. Looks go on where the last one stopped, so that rows that
 * wait for their next try keep none from being found.
 */
function createFinder({ client, table: name, clock, statuses }: Options) {
  const table = { client, name, deadline: DEADLINE };
  /** Where the next look starts, by what it looks through; from the start where there is none. */
  const places = new Map<string, Item>();
  let withoutIndexUntil = 0;

  async function nextPage(place: string, query: IndexQuery): Promise<readonly Ref[]> {
    const [items, next] = await readPage(table, query, places.get(place));
    if (next === undefined) places.delete(place);
    else places.set(place, next);
    return items.map(toRef).filter(({ id, version }) => id !== '' && Number.isSafeInteger(version));
  }

  async function inOutbox(limit: number): Promise<readonly Ref[]> {
    const found: Ref[] = [];
    for (let page = 0; page < MAX_PAGES && found.length < limit; page += 1) {
      found.push(...(await nextPage('outbox', byOutbox(clock()))));
      if (!places.has('outbox')) break;
    }
    return found;
  }

  async function inEachStatus(): Promise<readonly Ref[]> {
    const pages = await Promise.all(
      statuses.map((status) => nextPage(status, byStatus(status, clock()))),
    );
    return pages.flat();
  }

  async function find(limit: number): Promise<readonly Ref[]> {
    if (clock() < withoutIndexUntil) return inEachStatus();
    try {
      return await inOutbox(limit);
    } catch (error) {
      if (!isIndexMissing(error)) throw error;
      withoutIndexUntil = clock() + WITHOUT_INDEX;
      return inEachStatus();
    }
  }

  return find;
}

/**
 * The outbox of a table: the rows themselves, marked as having something to send in the very write
 * that made it so. They are found by the sparse index `gsi-outbox`, or by paging `gsi-status`.
 */
export function createTableSource(options: Options): Source {
  const { client, table: name, clock, toEvents } = options;
  const claims = createClaims({ client, name, deadline: DEADLINE }, clock, ({ version }) => ({
    condition: '#outbox = :pending AND #version = :version',
    names: { '#outbox': 'outbox', '#version': 'version' },
    values: attributes({ ':pending': 'pending', ':version': version }),
  }));

  async function claim(ref: Ref): Promise<Claimed | undefined> {
    const taken = await claims.take(ref.id, ref);
    return taken && { ...taken.claimed, events: toEvents(taken.item) };
  }

  function done(claimed: Claimed): Promise<void> {
    return claims.settle(claimed.id, claimed, {
      update: `${FORGET}, #outbox`,
      names: NAMES,
      values: {},
    });
  }

  function again(claimed: Claimed, notBefore: number, sent: readonly string[]): Promise<void> {
    return claims.postpone(claimed.id, claimed, notBefore, sent);
  }

  /** The row stays in the index under `dead`, for whoever looks for what was not sent. */
  function dead(claimed: Claimed): Promise<void> {
    const values = attributes({ ':dead': 'dead' });
    return claims.settle(claimed.id, claimed, {
      update: `SET #outbox = :dead ${FORGET}`,
      names: NAMES,
      values,
    });
  }

  return { name, pending: createFinder(options), claim, done, again, dead };
}
