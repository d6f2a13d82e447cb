import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { attributes, textAt, type Item } from './attributes.ts';
import { commonOf, sendWrite, type Condition, type Table, type WriteOutcome } from './table.ts';

/**
 * A change of an item. That of {@link updateAs} writes the id of its attempt, `:attempt`, into the
 * attribute `attempt`.
 */
export type Change = Condition & { readonly update: string };

type Own = { readonly name: 'attempt' | 'id'; readonly value: string };

/**
 * Changes an item and gives what changed, or all of it. An answer without the value of its own is
 * another write's.
 */
async function change(
  table: Table,
  id: string,
  { update, ...condition }: Change,
  own: Own,
): Promise<Item | 'refused'> {
  const command = new UpdateItemCommand({
    ...commonOf(table, condition),
    Key: attributes({ id }),
    UpdateExpression: update,
    ReturnValues: own.name === 'id' ? 'ALL_NEW' : 'UPDATED_NEW',
  });
  const answer = await sendWrite('UpdateItem', table, (abortSignal) =>
    table.client.send(command, { abortSignal }),
  );
  if (answer === 'refused') return answer;
  if (answer.Attributes !== undefined && textAt(answer.Attributes, own.name) === own.value)
    return answer.Attributes;
  throw new Error(`the answer to UpdateItem for ${id} on ${table.name} is another write's`);
}

/**
 * Changes the item of an id under a condition and gives the attributes that it changed. It believes
 * only the answer to this very attempt, whose id is among them: an answer that belongs to another
 * write of the same table is an error.
 */
export function updateAs(
  table: Table,
  id: string,
  attempt: string,
  what: Change,
): Promise<Item | 'refused'> {
  return change(table, id, what, { name: 'attempt', value: attempt });
}

/** Changes the item of an id under a condition, and gives the whole item as the change left it. */
export function changeIf(table: Table, id: string, what: Change): Promise<Item | 'refused'> {
  return change(table, id, what, { name: 'id', value: id });
}

/**
 * Makes an item of an id that is not there, as `putNew` does, and believes the answer as {@link
 * updateAs} does.
 */
export async function claimNew(
  table: Table,
  id: string,
  ttl: number,
  attempt: string,
): Promise<WriteOutcome> {
  const changed = await updateAs(table, id, attempt, {
    update: 'SET #attempt = :attempt, #ttl = :ttl',
    condition: 'attribute_not_exists(id) OR #attempt = :attempt',
    names: { '#attempt': 'attempt', '#ttl': 'ttl' },
    values: attributes({ ':attempt': attempt, ':ttl': ttl }),
  });
  return changed === 'refused' ? changed : 'done';
}
