import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SECOND, type Clock } from '../lib/clock.ts';
import { createLru } from '../lib/lru.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import { createStopwatch, type Moment } from '../lib/stopwatch.ts';
import type { SessionQuery } from './list-plan.ts';
import type { Session, SessionRow } from './session.ts';
import { createSessionList, type SessionPage, type Wanted } from './list.ts';
import type { SessionStore } from './store.ts';

/** How many pages the query cache holds. */
const QUERIES = 1_000;

/**
 * DynamoDB Accelerator keeps items and queries for five minutes, whatever is written beside it. What can change here is
 * known from the feed; so a row is kept for as long, but what it says of being revoked is never believed from here alone.
 */
const ITEM_LIFE = 5 * 60 * SECOND;
const ABSENT_LIFE = 2 * SECOND;
const QUERY_LIFE = 2 * SECOND;

const DEADLINE = 3 * SECOND;

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly monotonic: Clock;
  /** How many rows the item cache holds. */
  readonly capacity: number;
  /** Told once that the table lacks the index that lists of all sessions go by. */
  readonly onFallback: (error: unknown) => void;
};

/** How often the caches knew, and how often DynamoDB was asked. */
export type DirectoryCounts = { readonly hits: number; readonly misses: number };

/** Rows of the sessions table for those who ask about them, through an item cache and a query cache. */
export type SessionDirectory = {
  /** A row by its id; undefined for what is not there. Rejects when DynamoDB fails. */
  readonly find: (id: string, keys: SealingKeys) => Promise<SessionRow | undefined>;
  /**
   * One page of a list, of the rows that are wanted; undefined if `next` is none that this server gave out for it. The
   * same query must always come with the same wish: pages are kept by the query.
   */
  readonly list: (
    query: SessionQuery,
    keys: SealingKeys,
    next: string | undefined,
    isWanted: Wanted,
  ) => Promise<SessionPage | undefined>;
  /** Write-through: a session that was opened here. */
  readonly put: (session: Session) => void;
  /** What is known of a row is not so any more. */
  readonly forget: (id: string) => void;
  readonly counts: () => DirectoryCounts;
};

/** The rest of the row of a session that was opened here. */
const OPEN = { status: 'active', genuine: true, revokedBy: undefined, revokedReason: undefined } as const;

export function createSessionDirectory(options: Options): SessionDirectory {
  const { client, table, store, clock, monotonic, capacity, onFallback } = options;
  const pages = createSessionList({
    table: { client, name: table, deadline: DEADLINE },
    clock,
    monotonic,
    onFallback,
  });
  const watch = createStopwatch(clock, monotonic);
  const items = createLru<string, { readonly row: SessionRow | undefined; readonly since: Moment }>(capacity);
  const queries = createLru<string, { readonly page: SessionPage; readonly since: Moment }>(QUERIES);
  const reading = new Map<string, Promise<SessionRow | undefined>>();
  const listing = new Map<string, Promise<SessionPage | undefined>>();
  let hits = 0;
  let misses = 0;

  function read(id: string, keys: SealingKeys): Promise<SessionRow | undefined> {
    const underWay = reading.get(id);
    if (underWay !== undefined) return underWay;
    const answer = store
      .read(id, keys)
      .then((row) => {
        // Forgotten while it was read: what came may be older than what made it be forgotten.
        if (reading.get(id) === answer) {
          items.set(id, { row, since: watch.now() });
        }
        return row;
      })
      .finally(() => {
        if (reading.get(id) === answer) reading.delete(id);
      });
    reading.set(id, answer);
    return answer;
  }

  /** Keeps a page, unless something has happened since that it may not show. */
  function readPage(key: string, page: Promise<SessionPage | undefined>): Promise<SessionPage | undefined> {
    const answer = page
      .then((found) => {
        const isCurrent = listing.get(key) === answer;
        if (found !== undefined && isCurrent) queries.set(key, { page: found, since: watch.now() });
        return found;
      })
      .finally(() => {
        if (listing.get(key) === answer) listing.delete(key);
      });
    listing.set(key, answer);
    return answer;
  }

  function forgetPages(): void {
    queries.clear();
    listing.clear();
  }

  function find(id: string, keys: SealingKeys): Promise<SessionRow | undefined> {
    const kept = items.get(id);
    const life = kept?.row === undefined ? ABSENT_LIFE : ITEM_LIFE;
    if (kept !== undefined && watch.since(kept.since) < life) {
      hits += 1;
      return Promise.resolve(kept.row);
    }
    misses += 1;
    return read(id, keys);
  }

  function list(
    ...[query, keys, next, isWanted]: Parameters<SessionDirectory['list']>
  ): Promise<SessionPage | undefined> {
    const key = JSON.stringify([query, next]);
    const kept = queries.get(key);
    if (kept !== undefined && watch.since(kept.since) < QUERY_LIFE) {
      hits += 1;
      return Promise.resolve(kept.page);
    }
    misses += 1;
    return listing.get(key) ?? readPage(key, pages.read(query, keys, next, isWanted));
  }

  function put(session: Session): void {
    items.set(session.id, { row: { ...OPEN, session }, since: watch.now() });
    forgetPages();
  }

  function forget(id: string): void {
    items.delete(id);
    reading.delete(id);
    forgetPages();
  }

  function counts() {
    return { hits, misses };
  }

  return { find, list, put, forget, counts };
}
