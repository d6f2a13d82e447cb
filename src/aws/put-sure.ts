import { putIf, readItem, type Condition, type Item, type Table, type WriteOutcome } from './table.ts';

/**
 * Puts an item under a condition and reads it back, so that no answer is believed that belongs to another write, and none
 * is missed that was lost: the item holds the id of the attempt. For writes that are rare and that somebody relies on; it
 * costs a consistent read.
 *
 * @param attempt an id that no other write of this item has
 * @returns `refused` where another's item stands there
 * @throws where DynamoDB cannot be asked: then it may have been written, and a repetition with the same attempt finds out
 */
export async function putSure(
  table: Table,
  item: Item & { readonly id: { readonly S: string } },
  condition: Condition,
  attempt: string,
): Promise<WriteOutcome> {
  const outcome = await putIf(table, { ...item, attempt: { S: attempt } }, condition);
  const stands = await readItem(table, item.id.S);
  if (stands?.['attempt']?.S === attempt) return 'done';
  if (outcome === 'refused') return 'refused';
  throw new Error(`the answer to PutItem for ${item.id.S} on ${table.name} is another write's`);
}
