import { QueryCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Item } from '../aws/table.ts';
import { SECOND, type Clock } from '../lib/clock.ts';
import { createLru } from '../lib/lru.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import { toSessionRow, type Session, type SessionRow } from './session.ts';
import type { SessionStore } from './session-store.ts';

/** What a list is asked for. Times in epoch milliseconds. */
export type SessionQuery = {
  /** By the name as it is stored. */
  readonly user?: string;
  readonly subject?: string;
  readonly profile?: string;
  readonly status?: 'active' | 'revoked' | 'expired';
  /** Opened at or after, and before. */
  readonly since?: number;
  readonly until?: number;
};

/** One page; `next` is to be given back for the page behind it. */
export type SessionPage = { readonly rows: readonly SessionRow[]; readonly next?: string };

/** How many rows a page has, and how many the item cache and the query cache hold. */
const PAGE = 100;
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
  /** How many rows the item cache holds. */
  readonly capacity: number;
};

/** How often the caches knew, and how often DynamoDB was asked. */
export type DirectoryCounts = { readonly hits: number; readonly misses: number };

/** Rows of the sessions table for those who ask about them, through an item cache and a query cache. */
export type SessionDirectory = {
  /** A row by its id; undefined for what is not there. Rejects when DynamoDB fails. */
  readonly find: (id: string, keys: SealingKeys) => Promise<SessionRow | undefined>;
  /** One page of a list; undefined if `next` is none that this server gave out. */
  readonly list: (query: SessionQuery, keys: SealingKeys, next?: string) => Promise<SessionPage | undefined>;
  /** Write-through: a session that was opened here. */
  readonly put: (session: Session) => void;
  /** What is known of a row is not so any more. */
  readonly forget: (id: string) => void;
  readonly counts: () => DirectoryCounts;
};

export const createSessionDirectory = ({ client, table, store, clock, capacity }: Options): SessionDirectory => {
  const items = createLru<string, { readonly row: SessionRow | undefined; readonly until: number }>(capacity);
  const queries = createLru<string, { readonly page: SessionPage; readonly until: number }>(QUERIES);
  const reading = new Map<string, Promise<SessionRow | undefined>>();
  let hits = 0;
  let misses = 0;

  const read = (id: string, keys: SealingKeys): Promise<SessionRow | undefined> => {
    const underWay = reading.get(id);
    if (underWay !== undefined) return underWay;
    const answer = store
      .read(id, keys)
      .then((row) => {
        // Forgotten while it was read: what came may be older than what made it be forgotten.
        if (reading.get(id) === answer) {
          items.set(id, { row, until: clock() + (row === undefined ? ABSENT_LIFE : ITEM_LIFE) });
        }
        return row;
      })
      .finally(() => {
        if (reading.get(id) === answer) reading.delete(id);
      });
    reading.set(id, answer);
    return answer;
  };

  return {
    find: (id, keys) => {
      const kept = items.get(id);
      if (kept !== undefined && clock() < kept.until) {
        hits += 1;
        return Promise.resolve(kept.row);
      }
      misses += 1;
      return read(id, keys);
    },
    list: async (query, keys, next) => {
      const key = JSON.stringify([query, next]);
      const kept = queries.get(key);
      if (kept !== undefined && clock() < kept.until) {
        hits += 1;
        return kept.page;
      }
      misses += 1;
      const from = next === undefined ? undefined : fromToken(next, query);
      if (from === null) return undefined;
      const page = await readPage(client, table, query, keys, from).catch((error: unknown) => {
        // The same query without a start key is one that DynamoDB takes, so it is the token that it refuses.
        if (from !== undefined && error instanceof Error && error.name === 'ValidationException') return undefined;
        throw error;
      });
      if (page === undefined) return undefined;
      queries.set(key, { page, until: clock() + QUERY_LIFE });
      return page;
    },
    put: (session) => {
      items.set(session.id, { row: { session, status: 'active', genuine: true }, until: clock() + ITEM_LIFE });
      queries.clear();
    },
    forget: (id) => {
      items.delete(id);
      reading.delete(id);
      queries.clear();
    },
    counts: () => ({ hits, misses }),
  };
};

/** The index for a query, and the value of its key: the narrowest first. */
const indexFor = ({ user, profile, status }: SessionQuery): readonly [index: string, key: string, value: string] => {
  if (user !== undefined) return ['gsi-user', 'user', user];
  if (profile !== undefined) return ['gsi-profile', 'profile', profile];
  return ['gsi-status', 'status', status ?? 'active'];
};

/** Rows have four digits of a year, as text that sorts like time. */
const EARLIEST = '0000-01-01T00:00:00.000Z';
const LATEST = '9999-12-31T23:59:59.999Z';

/** When the rows of a query were opened, both ends included; the later end lies before the earlier where none can be. */
const boundsOf = ({ since, until }: SessionQuery): readonly [low: string, high: string] => [
  since === undefined ? EARLIEST : new Date(since).toISOString(),
  until === undefined ? LATEST : new Date(until - 1).toISOString(),
];

const readPage = async (
  client: DynamoDBClient,
  table: string,
  query: SessionQuery,
  keys: SealingKeys,
  start: Item | undefined,
): Promise<SessionPage> => {
  const [index, key, value] = indexFor(query);
  const [low, high] = boundsOf(query);
  // DynamoDB takes bounds in the wrong order for a mistake.
  if (low > high) return { rows: [] };
  const filters = (['user', 'subject', 'profile', 'status'] as const).filter(
    (name) => name !== key && query[name] !== undefined,
  );
  const rows: SessionRow[] = [];
  let from = start;
  do {
    const page = await client.send(
      new QueryCommand({
        TableName: table,
        IndexName: index,
        KeyConditionExpression: '#key = :key AND created_at BETWEEN :since AND :until',
        ...(filters.length === 0
          ? {}
          : { FilterExpression: filters.map((name) => `#${name} = :${name}`).join(' AND ') }),
        ExpressionAttributeNames: {
          '#key': key,
          ...Object.fromEntries(filters.map((name) => [`#${name}`, name])),
        },
        ExpressionAttributeValues: {
          ':key': { S: value },
          ':since': { S: low },
          ':until': { S: high },
          ...Object.fromEntries(filters.map((name) => [`:${name}`, { S: query[name] ?? '' }])),
        },
        ScanIndexForward: false,
        Limit: PAGE - rows.length,
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      }),
      { abortSignal: AbortSignal.timeout(DEADLINE) },
    );
    if (page.Items === undefined) throw new Error("the answer to Query is not DynamoDB's");
    for (const item of page.Items) {
      const row = toSessionRow(item, keys);
      if (row !== undefined) rows.push(row);
    }
    from = page.LastEvaluatedKey;
  } while (from !== undefined && rows.length < PAGE);
  return { rows, ...(from === undefined ? {} : { next: toToken(from) }) };
};

/** What DynamoDB takes for a key of the table, and of an index, in bytes. */
const ID_BYTES = 2_048;
const SORT_BYTES = 1_024;

/** The names that a start key has: the row's own key, and those of the index. */
const toToken = (from: Item): string => {
  const plain = Object.fromEntries(Object.entries(from).map(([name, value]) => [name, value.S ?? '']));
  return Buffer.from(JSON.stringify(plain)).toString('base64url');
};

const isKeyText = (value: unknown, bytes: number): value is string =>
  typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= bytes;

/**
 * Null for what is no token of this query. A token is no secret and grants nothing: it says where in the caller's own query
 * to go on. But what DynamoDB would refuse as a start key must be refused here, or it would pass for an outage: another
 * shape, another key than the query's, a place outside its bounds.
 */
const fromToken = (token: string, query: SessionQuery): Item | null => {
  const [, key, value] = indexFor(query);
  const [low, high] = boundsOf(query);
  const plain = parseToken(token);
  if (plain === undefined || Object.keys(plain).length !== 3) return null;
  const { id, created_at: opened } = plain;
  if (!isKeyText(id, ID_BYTES) || !isKeyText(opened, SORT_BYTES) || plain[key] !== value) return null;
  return opened < low || opened > high ? null : { id: { S: id }, created_at: { S: opened }, [key]: { S: value } };
};

const parseToken = (token: string): Readonly<Record<string, unknown>> | undefined => {
  const bytes = Buffer.from(token, 'base64url');
  // Decoding passes over what does not belong there; encoding anew shows it.
  const json = bytes.toString('base64url') === token ? parseStrictJson(bytes) : undefined;
  if (json?.ok !== true || typeof json.value !== 'object' || json.value === null) return undefined;
  return json.value as Readonly<Record<string, unknown>>;
};
