import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { putIf, putNew, readItem, readPage, type Condition, type Item } from '../aws/table.ts';
import type { SealingKey, SealingKeys } from '../lib/sealing.ts';
import { CALL_DEADLINE } from './bounds.ts';
import type { BreakGlassEvent, EventStatus } from './event.ts';
import { toEventItem, toEventRow, type EventRow } from './row.ts';

/** So many rows are read at a time for a list. */
const PAGE = 100;

/** Whose, of which profile, or in which state the rows of a list are: each is an index of the table. */
export type EventLeg =
  | { readonly index: 'gsi-invoker'; readonly key: string }
  | { readonly index: 'gsi-profile'; readonly key: string }
  | { readonly index: 'gsi-status'; readonly key: EventStatus };

/** The row that a page stopped at. */
export type EventPlace = { readonly id: string; readonly createdAt: string };

/** A page of rows, newest first, and where it stopped; undefined behind the last. */
export type EventPage = { readonly rows: readonly EventRow[]; readonly next: EventPlace | undefined };

const KEY_OF = { 'gsi-invoker': 'invoker', 'gsi-profile': 'profile', 'gsi-status': 'status' } as const;

/** The key to sign with, and all keys that signed before. */
export type SigningKeys = { readonly sealing: SealingKey; readonly keys: SealingKeys };

/** The table of events. Every method rejects where DynamoDB cannot be asked: nothing is taken for granted then. */
export type EventStore = {
  /** Writes a new event; `there` if a row of its id is there already and is not this very one. */
  readonly create: (event: BreakGlassEvent, signing: SigningKeys) => Promise<'created' | 'there'>;
  /** Reads the row of an id, consistently; undefined where there is none, or none that is an event. */
  readonly read: (id: string, keys: SealingKeys) => Promise<EventRow | undefined>;
  /** Whether anything at all is written under an id. */
  readonly isWritten: (id: string) => Promise<boolean>;
  /**
   * Replaces an event by its next version; `lost` if another has written since it was read. An answer that was lost is
   * looked for: what was written and not acknowledged counts as written.
   */
  readonly replace: (event: BreakGlassEvent, signing: SigningKeys) => Promise<'replaced' | 'lost'>;
  /**
   * Replaces an event by its next version, confirmed: one write under the condition that it is active still, also by a
   * status that somebody else wrote, and that its deadline has not passed. `lost` as for `replace`.
   */
  readonly confirm: (event: BreakGlassEvent, signing: SigningKeys) => Promise<'replaced' | 'lost'>;
  /** Reads one page of an index, which may lag by a moment. */
  readonly page: (leg: EventLeg, keys: SealingKeys, from: EventPlace | undefined) => Promise<EventPage>;
};

/** Constructs the store. */
export function createEventStore(client: DynamoDBClient, name: string): EventStore {
  const table = { client, name, deadline: CALL_DEADLINE };

  async function create(event: BreakGlassEvent, signing: SigningKeys): Promise<'created' | 'there'> {
    const item = toEventItem(event, name, signing.sealing);
    if ((await putNew(table, item, `${event.id}#${event.openedAt}`)) === 'done') return 'created';
    return (await isThis(event, signing.keys)) ? 'created' : 'there';
  }

  async function read(id: string, keys: SealingKeys): Promise<EventRow | undefined> {
    const item = await readItem(table, id);
    return item === undefined ? undefined : toEventRow(item, name, keys);
  }

  async function isWritten(id: string): Promise<boolean> {
    return (await readItem(table, id)) !== undefined;
  }

  async function isThis(event: BreakGlassEvent, keys: SealingKeys): Promise<boolean> {
    const row = await read(event.id, keys);
    return row?.genuine === true && JSON.stringify(row.event) === JSON.stringify(event);
  }

  async function write(event: BreakGlassEvent, signing: SigningKeys, condition: Condition) {
    const outcome = await putIf(table, toEventItem(event, name, signing.sealing), condition);
    return outcome === 'done' || (await isThis(event, signing.keys)) ? 'replaced' : 'lost';
  }

  function replace(event: BreakGlassEvent, signing: SigningKeys): Promise<'replaced' | 'lost'> {
    return write(event, signing, {
      condition: '#version = :before',
      names: { '#version': 'version' },
      values: { ':before': { N: String(event.version - 1) } },
    });
  }

  async function confirm(event: BreakGlassEvent, signing: SigningKeys): Promise<'replaced' | 'lost'> {
    if (event.confirmed === undefined) throw new Error('the event is not confirmed');
    return write(event, signing, {
      condition: '#version = :before AND #status = :status AND confirm_by > :now',
      names: { '#version': 'version', '#status': 'status' },
      values: {
        ':before': { N: String(event.version - 1) },
        // A drill is never active in the eyes of Sentinel's programs.
        ':status': { S: event.drill ? 'closed' : 'active' },
        ':now': { N: String(event.confirmed.at) },
      },
    });
  }

  async function page(leg: EventLeg, keys: SealingKeys, from: EventPlace | undefined): Promise<EventPage> {
    const attribute = KEY_OF[leg.index];
    const [items, next] = await readPage(table, {
      IndexName: leg.index,
      KeyConditionExpression: '#key = :key',
      ExpressionAttributeNames: { '#key': attribute },
      ExpressionAttributeValues: { ':key': { S: leg.key } },
      ScanIndexForward: false,
      Limit: PAGE,
      ExclusiveStartKey: from && toStartKey(from, attribute, leg.key),
    });
    const rows = items.map((item) => toEventRow(item, name, keys)).filter((row) => row !== undefined);
    return { rows, next: toPlace(next) };
  }

  return { create, read, isWritten, replace, confirm, page };
}

function toStartKey({ id, createdAt }: EventPlace, attribute: string, key: string): Item {
  return { id: { S: id }, created_at: { S: createdAt }, [attribute]: { S: key } };
}

function toPlace(key: Item | undefined): EventPlace | undefined {
  const [id, createdAt] = [key?.['id']?.S, key?.['created_at']?.S];
  return id === undefined || createdAt === undefined ? undefined : { id, createdAt };
}
