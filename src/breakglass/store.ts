import { createHash } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, textAt, type Item } from '../aws/attributes.ts';
import { putSure } from '../aws/put-sure.ts';
import { readItem, readPage, type Condition } from '../aws/table.ts';
import type { SealingKey, SealingKeys } from '../lib/sealing.ts';
import { CALL_DEADLINE } from './bounds.ts';
import type { BreakGlassEvent, EventStatus } from './event.ts';
import { toEventItem, toEventRow, type EventRow } from './row.ts';

/** So many rows are read at a time for a list. */
const PAGE = 100;

/**
 * Whose, of which profile, or in which state the rows of a list are: each is an index of the table.
 */
export type EventLeg =
  | { readonly index: 'gsi-invoker'; readonly key: string }
  | { readonly index: 'gsi-profile'; readonly key: string }
  | { readonly index: 'gsi-status'; readonly key: EventStatus };

/** The row that a page stopped at. */
export type EventPlace = { readonly id: string; readonly createdAt: string };

/** A page of rows, newest first, and where it stopped; undefined behind the last. */
export type EventPage = {
  readonly rows: readonly EventRow[];
  readonly next: EventPlace | undefined;
};

const KEY_OF = {
  'gsi-invoker': 'invoker',
  'gsi-profile': 'profile',
  'gsi-status': 'status',
} as const;

/**
 * The table of events. Every method rejects where DynamoDB cannot be asked: nothing is taken for
 * granted then.
 */
export type EventStore = {
  /** Writes a new event; `there` if a row of its id is there already and is not this very one. */
  readonly create: (event: BreakGlassEvent, sealing: SealingKey) => Promise<'created' | 'there'>;
  /**
   * Reads the row of an id, consistently; undefined where there is none, or none that is an event.
   */
  readonly read: (id: string, keys: SealingKeys) => Promise<EventRow | undefined>;
  /** Whether anything at all is written under an id. */
  readonly isWritten: (id: string) => Promise<boolean>;
  /**
   * Replaces an event by its next version; `lost` if another has written since it was read. An
   * answer that was lost is looked for: what was written and not acknowledged counts as written.
   */
  readonly replace: (event: BreakGlassEvent, sealing: SealingKey) => Promise<'replaced' | 'lost'>;
  /**
   * Replaces an event by its next version, confirmed: one write under the condition that it is
   * active still, also by a status that somebody else wrote, and that its deadline has not passed.
   * `lost` as for `replace`.
   */
  readonly confirm: (event: BreakGlassEvent, sealing: SealingKey) => Promise<'replaced' | 'lost'>;
  /** Reads one page of an index, which may lag by a moment. */
  readonly page: (
    leg: EventLeg,
    keys: SealingKeys,
    from: EventPlace | undefined,
  ) => Promise<EventPage>;
};

function isNever(): boolean {
  return false;
}

/**
 * Constructs the store.
 *
 * @param isHeard whether there is a receiver of events at the moment
 */
export function createEventStore(
  client: DynamoDBClient,
  name: string,
  isHeard = isNever,
): EventStore {
  const table = { client, name, deadline: CALL_DEADLINE };

  async function create(event: BreakGlassEvent, sealing: SealingKey): Promise<'created' | 'there'> {
    const outcome = await write(event, sealing, { condition: 'attribute_not_exists(id)' });
    return outcome === 'done' ? 'created' : 'there';
  }

  async function read(id: string, keys: SealingKeys): Promise<EventRow | undefined> {
    const item = await readItem(table, id);
    return item === undefined ? undefined : toEventRow(item, name, keys);
  }

  async function isWritten(id: string): Promise<boolean> {
    return (await readItem(table, id)) !== undefined;
  }

  function write(event: BreakGlassEvent, sealing: SealingKey, condition: Condition) {
    return putSure(
      table,
      toEventItem(event, name, sealing, isHeard()),
      condition,
      attemptOf(event),
    );
  }

  async function replace(
    event: BreakGlassEvent,
    sealing: SealingKey,
  ): Promise<'replaced' | 'lost'> {
    const outcome = await write(event, sealing, {
      condition: '#version = :before',
      names: { '#version': 'version' },
      values: attributes({ ':before': event.version - 1 }),
    });
    return outcome === 'done' ? 'replaced' : 'lost';
  }

  async function confirm(
    event: BreakGlassEvent,
    sealing: SealingKey,
  ): Promise<'replaced' | 'lost'> {
    if (event.confirmed === undefined) throw new Error('the event is not confirmed');
    const outcome = await write(event, sealing, {
      condition: '#version = :before AND #status = :status AND confirm_by > :now',
      names: { '#version': 'version', '#status': 'status' },
      values: attributes({
        ':before': event.version - 1,
        // A drill is never active in the eyes of Sentinel's programs.
        ':status': event.drill ? 'closed' : 'active',
        ':now': event.confirmed.at,
      }),
    });
    return outcome === 'done' ? 'replaced' : 'lost';
  }

  async function page(
    leg: EventLeg,
    keys: SealingKeys,
    from: EventPlace | undefined,
  ): Promise<EventPage> {
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
      .map((item) => toEventRow(item, name, keys))
      .filter((row) => row !== undefined);
    return { rows, next: toPlace(next) };
  }

  return { create, read, isWritten, replace, confirm, page };
}

/** By what is written: whoever repeats a write finds their own. */
function attemptOf(event: BreakGlassEvent): string {
  return createHash('sha256').update(JSON.stringify(event)).digest('hex');
}

function toStartKey({ id, createdAt }: EventPlace, attribute: string, key: string): Item {
  return attributes({ id, created_at: createdAt, [attribute]: key });
}

function toPlace(key: Item | undefined): EventPlace | undefined {
  const [id, createdAt] = [textAt(key, 'id'), textAt(key, 'created_at')];
  return id === undefined || createdAt === undefined ? undefined : { id, createdAt };
}
