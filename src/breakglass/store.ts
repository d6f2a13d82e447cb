import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes } from '../aws/attributes.ts';
import { follows, putState, readNewest, type RowPlace } from '../aws/versioned-rows.ts';
import { readItem, type Condition } from '../aws/table.ts';
import type { SealingKey, SealingKeys } from '../lib/sealing.ts';
import { CALL_DEADLINE } from './bounds.ts';
import type { BreakGlassEvent, EventStatus } from './event.ts';
import { toEventItem, toEventRow, type EventRow } from './row.ts';

/**
 * Whose, of which profile, or in which state the rows of a list are: each is an index of the table.
 */
export type EventLeg =
  | { readonly index: 'gsi-invoker'; readonly key: string }
  | { readonly index: 'gsi-profile'; readonly key: string }
  | { readonly index: 'gsi-status'; readonly key: EventStatus };

/** A page of rows, newest first, and where it stopped; undefined behind the last. */
export type EventPage = {
  readonly rows: readonly EventRow[];
  readonly next: RowPlace | undefined;
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
    from: RowPlace | undefined,
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
    return putState(table, toEventItem(event, name, sealing, isHeard()), condition, event);
  }

  async function replace(
    event: BreakGlassEvent,
    sealing: SealingKey,
  ): Promise<'replaced' | 'lost'> {
    const outcome = await write(event, sealing, follows(event.version));
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
    from: RowPlace | undefined,
  ): Promise<EventPage> {
    const at = { ...leg, attribute: KEY_OF[leg.index] };
    const [items, next] = await readNewest(table, at, from);
    const rows = items
      .map((item) => toEventRow(item, name, keys))
      .filter((row) => row !== undefined);
    return { rows, next };
  }

  return { create, read, isWritten, replace, confirm, page };
}
