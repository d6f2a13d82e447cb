import { attributes, textAt, type Item } from './attributes.ts';
import { putIf, readItem, type Condition, type Table, type WriteOutcome } from './table.ts';

/**
 * Puts an item under a condition and reads it back, so that no answer is believed that belongs to
 * another write, and none is missed that was lost: the item holds the id of the attempt. For writes
 * that are rare and that somebody relies on; it costs a consistent read.
 *
 * @param attempt an id that no other write of this item has
 * @returns `refused` where another's item stands there
 * @throws where DynamoDB cannot be asked: then it may have been written, and a repetition with the
 *   same attempt finds out
 */
export async function putSure(
  table: Table,
  item: Item,
  condition: Condition,
  attempt: string,
): Promise<WriteOutcome> {
  const id = textAt(item, 'id') ?? '';
  const outcome = await putIf(table, { ...item, ...attributes({ attempt }) }, condition);
  const stands = await readItem(table, id);
  if (textAt(stands, 'attempt') === attempt) return 'done';
  if (outcome === 'refused') return 'refused';
  throw new Error(`the answer to PutItem for ${id} on ${table.name} is another write's`);
}
