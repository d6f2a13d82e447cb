import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Item } from '../aws/attributes.ts';
import type { Clock } from '../lib/clock.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import type { Event } from '../notify/event.ts';
import type { Source } from '../notify/source.ts';
import { createTableSource } from '../notify/table-source.ts';
import { EVENT_STATUSES } from './event.ts';
import { readSigned } from './row.ts';
import { toNotice } from './told.ts';

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly clock: Clock;
  readonly sealingKeys: () => SealingKeys;
};

/** The outbox of break-glass. Only what a TVM has signed is told, whatever else stands in a row. */
export function createEventOutbox({ client, table, clock, sealingKeys }: Options): Source {
  function toEvents(item: Item): readonly Event[] | undefined {
    const event = readSigned(item, table, sealingKeys());
    return event?.untold.map((told) => toNotice(event, told));
  }

  return createTableSource({ client, table, clock, statuses: EVENT_STATUSES, toEvents });
}
