import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createHash } from 'node:crypto';
import { putSure } from '../aws/put-sure.ts';
import { attributes, textAt, type Item } from '../aws/attributes.ts';
import { readItem, readPage } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';
import type { SealingKey, SealingKeys } from '../lib/sealing.ts';
import type { AccessRequest, RequestStatus } from './request.ts';
import { toRequestItem, toRequestRow, type RequestRow } from './row.ts';

/**
 * How long one call for a request may take: somebody waits for the answer, and nothing is vended
 * without it.
 */
const DEADLINE = 3 * SECOND;

/** So many rows are read at a time for a list. */
const PAGE = 100;

/**
 * Whose, of which profile, or in which state the rows of a list are: each is an index of the table.
 */
export type RequestLeg =
  | { readonly index: 'gsi-requester'; readonly key: string }
  | { readonly index: 'gsi-profile'; readonly key: string }
  | { readonly index: 'gsi-status'; readonly key: RequestStatus };

/** The row that a page stopped at. */
export type RequestPlace = { readonly id: string; readonly createdAt: string };

/** A page of rows, newest first, and where it stopped; undefined behind the last. */
export type RequestPage = {
  readonly rows: readonly RequestRow[];
  readonly next: RequestPlace | undefined;
};

const KEY_OF = {
  'gsi-requester': 'requester',
  'gsi-profile': 'profile',
  'gsi-status': 'status',
} as const;

/**
 * The table of requests. Every method rejects where DynamoDB cannot be asked: nothing is taken for
 * granted then.
 */
export type RequestStore = {
  /** Writes a new request; `there` if there is one of its id already, be it this very one. */
  readonly create: (request: AccessRequest, sealing: SealingKey) => Promise<'created' | 'there'>;
  /** Reads the row of an id, consistently. */
  readonly read: (id: string, keys: SealingKeys) => Promise<RequestRow | undefined>;
  /**
   * Replaces a request by its next version; `lost` if another has written since it was read. An
   * answer that was lost is looked for: what was written and not acknowledged counts as written.
   */
  readonly replace: (request: AccessRequest, sealing: SealingKey) => Promise<'replaced' | 'lost'>;
  /** Reads one page of an index, which may lag by a moment. */
  readonly page: (
    leg: RequestLeg,
    keys: SealingKeys,
    from: RequestPlace | undefined,
  ) => Promise<RequestPage>;
};

function isNever(): boolean {
  return false;
}

/**
 * Constructs the store.
 *
 * @param isHeard whether there is a receiver of events at the moment
 */
export function createRequestStore(
  client: DynamoDBClient,
  name: string,
  isHeard = isNever,
): RequestStore {
  const table = { client, name, deadline: DEADLINE };

  async function create(request: AccessRequest, sealing: SealingKey): Promise<'created' | 'there'> {
    const item = toRequestItem(request, name, sealing, isHeard());
    const absent = { condition: 'attribute_not_exists(id)' };
    return (await putSure(table, item, absent, attemptOf(request))) === 'done'
      ? 'created'
      : 'there';
  }

  async function read(id: string, keys: SealingKeys): Promise<RequestRow | undefined> {
    const item = await readItem(table, id);
    return item === undefined ? undefined : toRequestRow(item, name, keys);
  }

  async function replace(
    request: AccessRequest,
    sealing: SealingKey,
  ): Promise<'replaced' | 'lost'> {
    const unchanged = {
      condition: '#version = :before',
      names: { '#version': 'version' },
      values: attributes({ ':before': request.version - 1 }),
    };
    const item = toRequestItem(request, name, sealing, isHeard());
    return (await putSure(table, item, unchanged, attemptOf(request))) === 'done'
      ? 'replaced'
      : 'lost';
  }

  async function page(
    leg: RequestLeg,
    keys: SealingKeys,
    from: RequestPlace | undefined,
  ): Promise<RequestPage> {
    const attribute = KEY_OF[leg.index];
    const newestFirst = {
      index: leg.index,
      condition: '#key = :key',
      names: { '#key': attribute },
      values: attributes({ ':key': leg.key }),
      order: 'falling',
      limit: PAGE,
    } as const;
    const start = from === undefined ? undefined : toStartKey(from, attribute, leg.key);
    const [items, next] = await readPage(table, newestFirst, start);
    const rows = items
      .map((item) => toRequestRow(item, name, keys))
      .filter((row) => row !== undefined);
    return { rows, next: toPlace(next) };
  }

  return { create, read, replace, page };
}

/** By what is written: whoever repeats a write finds their own. */
function attemptOf(request: AccessRequest): string {
  return createHash('sha256').update(JSON.stringify(request)).digest('hex');
}

function toStartKey({ id, createdAt }: RequestPlace, attribute: string, key: string): Item {
  return attributes({ id, created_at: createdAt, [attribute]: key });
}

function toPlace(key: Item | undefined): RequestPlace | undefined {
  const [id, createdAt] = [textAt(key, 'id'), textAt(key, 'created_at')];
  return id === undefined || createdAt === undefined ? undefined : { id, createdAt };
}
