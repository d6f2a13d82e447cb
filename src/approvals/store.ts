import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { follows, putState, readNewest, type RowPlace } from '../aws/versioned-rows.ts';
import { readItem } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';
import type { SealingKey, SealingKeys } from '../lib/sealing.ts';
import type { AccessRequest, RequestStatus } from './request.ts';
import { toRequestItem, toRequestRow, type RequestRow } from './row.ts';

/**
 * How long one call for a request may take: somebody waits for the answer, and nothing is vended
 * without it.
 */
const DEADLINE = 3 * SECOND;

/**
 * Whose, of which profile, or in which state the rows of a list are: each is an index of the table.
 */
export type RequestLeg =
  | { readonly index: 'gsi-requester'; readonly key: string }
  | { readonly index: 'gsi-profile'; readonly key: string }
  | { readonly index: 'gsi-status'; readonly key: RequestStatus };

/** A page of rows, newest first, and where it stopped; undefined behind the last. */
export type RequestPage = {
  readonly rows: readonly RequestRow[];
  readonly next: RowPlace | undefined;
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
    from: RowPlace | undefined,
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
    return (await putState(table, item, absent, request)) === 'done' ? 'created' : 'there';
  }

  async function read(id: string, keys: SealingKeys): Promise<RequestRow | undefined> {
    const item = await readItem(table, id);
    return item === undefined ? undefined : toRequestRow(item, name, keys);
  }

  async function replace(
    request: AccessRequest,
    sealing: SealingKey,
  ): Promise<'replaced' | 'lost'> {
    const item = toRequestItem(request, name, sealing, isHeard());
    const written = await putState(table, item, follows(request.version), request);
    return written === 'done' ? 'replaced' : 'lost';
  }

  async function page(
    leg: RequestLeg,
    keys: SealingKeys,
    from: RowPlace | undefined,
  ): Promise<RequestPage> {
    const at = { ...leg, attribute: KEY_OF[leg.index] };
    const [items, next] = await readNewest(table, at, from);
    const rows = items
      .map((item) => toRequestRow(item, name, keys))
      .filter((row) => row !== undefined);
    return { rows, next };
  }

  return { create, read, replace, page };
}
