import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SECOND, type Clock } from '../lib/clock.ts';
import { createLru } from '../lib/lru.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import { createStopwatch, type Moment } from '../lib/stopwatch.ts';
import type { SessionQuery } from './list-plan.ts';
import type { Session, SessionRow } from './session.ts';
import { createSessionList, type SessionPage, type Wanted } from './list.ts';
import type { SessionStore } from './store.ts';

/** How many pages the query cache holds: the queries of a few consoles. */
const QUERIES = 1_000;

/**
 * How long a row is kept, which is how long DynamoDB Accelerator keeps items. The feed tells of
 * revocations; whether a session is revoked is never decided by a kept row alone.
 */
const ITEM_LIFE = 5 * 60 * SECOND;

/**
 * How long it is remembered that a row is not there: another instance may open that session at any
 * moment.
 */
const ABSENT_LIFE = 2 * SECOND;

/** How long a page is kept: a console that polls costs one reading, and nobody sees an old list. */
const QUERY_LIFE = 2 * SECOND;

/** How long one query of sessions may take, its retries included. */
const DEADLINE = 3 * SECOND;

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly monotonic: Clock;
  /** How many rows the item cache holds. */
  readonly capacity: number;
  /** Is told once that the table lacks the index for lists of all sessions. */
  readonly onFallback: (error: unknown) => void;
};

/** How often the caches had the answer, and how often DynamoDB was asked. */
export type DirectoryCounts = { readonly hits: number; readonly misses: number };

/** Reads rows of the sessions table, through an item cache and a query cache. */
export type SessionDirectory = {
  /** A row by its id; undefined if there is none. Rejects when DynamoDB fails. */
  readonly find: (id: string, keys: SealingKeys) => Promise<SessionRow | undefined>;
  /**
   * One page of a list, with the rows that are wanted; undefined if this server did not give out
   * `next` for the query. One query must always come with the same `isWanted`, because pages are
   * kept by the query.
   */
  readonly list: (
    query: SessionQuery,
    keys: SealingKeys,
    next: string | undefined,
    isWanted: Wanted,
  ) => Promise<SessionPage | undefined>;
  /** Writes a session through that was opened here. */
  readonly put: (session: Session) => void;
  /** Drops what is known of a row, because it has changed. */
  readonly forget: (id: string) => void;
  readonly counts: () => DirectoryCounts;
};

/** What the row of a session that was opened here says besides the session. */
const OPEN = {
  status: 'active',
  genuine: true,
  revokedBy: undefined,
  revokedReason: undefined,
} as const;

/** A directory with empty caches. */
export function createSessionDirectory(options: Options): SessionDirectory {
  const { client, table, store, clock, monotonic, capacity, onFallback } = options;
  const pages = createSessionList({
    table: { client, name: table, deadline: DEADLINE },
    clock,
    monotonic,
    onFallback,
  });
  const watch = createStopwatch(clock, monotonic);
  const items = createLru<string, { readonly row: SessionRow | undefined; readonly since: Moment }>(
    capacity,
  );
  const queries = createLru<string, { readonly page: SessionPage; readonly since: Moment }>(
    QUERIES,
  );
  /** Reads and listings under way: many who ask for the same cost one query. */
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
        // A row that was forgotten while it was read may be older than the change that it was
        // forgotten for.
        if (reading.get(id) === answer) items.set(id, { row, since: watch.now() });
        return row;
      })
      .finally(() => {
        if (reading.get(id) === answer) reading.delete(id);
      });
    reading.set(id, answer);
    return answer;
  }

  /** Reads a page and keeps it, unless the pages were forgotten meanwhile. */
  function readPage(
    key: string,
    page: Promise<SessionPage | undefined>,
  ): Promise<SessionPage | undefined> {
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

  function counts(): DirectoryCounts {
    return { hits, misses };
  }

  return { find, list, put, forget, counts };
}
