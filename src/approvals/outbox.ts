import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Item } from '../aws/attributes.ts';
import type { Clock } from '../lib/clock.ts';
import type { SealingKeys } from '../lib/sealing.ts';
import type { Event } from '../notify/event.ts';
import type { Source } from '../notify/source.ts';
import { createTableSource } from '../notify/table-source.ts';
import { toRequestEvent } from './event.ts';
import { REQUEST_STATUSES } from '../contract/fields.ts';
import { readSigned } from './row.ts';

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly clock: Clock;
  readonly sealingKeys: () => SealingKeys;
};

/** The outbox of requests. Only what a TVM has signed is told, whatever else stands in a row. */
export function createRequestOutbox({ client, table, clock, sealingKeys }: Options): Source {
  function toEvents(item: Item): readonly Event[] | undefined {
    const request = readSigned(item, table, sealingKeys());
    return request?.untold.map((told) => toRequestEvent(request, told));
  }

  return createTableSource({ client, table, clock, statuses: REQUEST_STATUSES, toEvents });
}
