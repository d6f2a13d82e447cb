import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes } from '../aws/attributes.ts';
import { putIf, readItem } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';

/** A call for the setting in the guard table. */
const DEADLINE = 3 * SECOND;

const ID = 'setting#people';

type Options = { readonly client: DynamoDBClient; readonly table: string };

/**
 * Makes the function that remembers, for all instances, that there was a document of people:
 * deleting it would silently let one identity of a person approve what another asked for. It tells
 * whether the document is missing although there was one. Once there is one, it asks no more; it
 * rejects where the guard table cannot be asked.
 */
export function createPeopleSetting({
  client,
  table: name,
}: Options): (isThere: boolean) => Promise<boolean> {
  const table = { client, name, deadline: DEADLINE };
  let isKnown = false;

  async function isPeopleMissing(isThere: boolean): Promise<boolean> {
    if (isThere) {
      if (!isKnown)
        await putIf(table, attributes({ id: ID, value: 'there' }), {
          condition: 'attribute_not_exists(id)',
        });
      isKnown = true;
      return false;
    }
    isKnown ||= (await readItem(table, ID)) !== undefined;
    return isKnown;
  }

  return isPeopleMissing;
}
