import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
  type AttributeValue,
  type ConsumedCapacity,
  type DynamoDBClient,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import { withDeadline } from '../lib/deadline.ts';

/** An item of DynamoDB: attributes by name. */
export type Item = Record<string, AttributeValue>;

/** One table: whom to ask, its name, and how long any one call may take, its retries and its whole answer included. */
export type Table = {
  readonly client: DynamoDBClient;
  readonly name: string;
  /** Milliseconds. */
  readonly deadline: number;
};

/** Under which condition something is written; names and values of all its expressions. */
export type Condition = {
  readonly condition: string;
  readonly names?: Record<string, string>;
  readonly values?: Item;
};

/** `refused`: DynamoDB says that the condition does not hold, so that nothing was written. All else rejects. */
export type WriteOutcome = 'done' | 'refused';

/**
 * The SDK takes an empty 200 of whatever stands in between for a success. DynamoDB says, when asked to, which table it
 * has worked on, in the words in which it was named:
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
 */
function checkAnswer(what: string, table: Table, capacity: ConsumedCapacity | undefined): void {
  if (capacity?.TableName === table.name) return;
  throw new Error(`the answer to ${what} on ${table.name} is not DynamoDB's`);
}

type WriteAnswer = { readonly ConsumedCapacity?: ConsumedCapacity | undefined };

/** Sends one conditional write and says whether it was done. */
async function write(
  what: string,
  table: Table,
  send: (signal: AbortSignal) => Promise<WriteAnswer>,
): Promise<WriteOutcome> {
  try {
    const answer = await withDeadline(table.deadline, `${what} on ${table.name}`, send);
    checkAnswer(what, table, answer.ConsumedCapacity);
    return 'done';
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return 'refused';
    throw error;
  }
}

/** The parts that each conditional command has; DynamoDB refuses empty maps. */
function common(table: Table, { condition, names, values }: Condition) {
  return {
    TableName: table.name,
    ConditionExpression: condition,
    ...(names === undefined ? {} : { ExpressionAttributeNames: names }),
    ...(values === undefined ? {} : { ExpressionAttributeValues: values }),
    ReturnConsumedCapacity: 'TOTAL' as const,
  };
}

/** Puts an item under a condition. */
export function putIf(table: Table, item: Item, condition: Condition): Promise<WriteOutcome> {
  const command = new PutItemCommand({ ...common(table, condition), Item: item });
  return write('PutItem', table, (abortSignal) => table.client.send(command, { abortSignal }));
}

/**
 * Puts an item if none of its id is there. It holds the id of the attempt, so that an SDK that repeats a write whose
 * answer was lost takes what it finds for its own; another attempt of the same caller has another id, unless it is given.
 */
export function putNew(table: Table, item: Item, attempt: string): Promise<WriteOutcome> {
  return putIf(
    table,
    { ...item, attempt: { S: attempt } },
    {
      condition: 'attribute_not_exists(id) OR #attempt = :attempt',
      names: { '#attempt': 'attempt' },
      values: { ':attempt': { S: attempt } },
    },
  );
}

/**
 * Makes an item of an id that is not there, as {@link putNew} does, and believes only the answer to this very attempt: it
 * holds the attempt's id. An answer that belongs to another write of the same table is an error, not a success.
 */
export async function claimNew(table: Table, id: string, ttl: number, attempt: string): Promise<WriteOutcome> {
  const command = new UpdateItemCommand({
    ...common(table, {
      condition: 'attribute_not_exists(id) OR #attempt = :attempt',
      names: { '#attempt': 'attempt', '#ttl': 'ttl' },
      values: { ':attempt': { S: attempt }, ':ttl': { N: String(ttl) } },
    }),
    Key: { id: { S: id } },
    UpdateExpression: 'SET #attempt = :attempt, #ttl = :ttl',
    ReturnValues: 'UPDATED_NEW',
  });
  return write('UpdateItem', table, async (abortSignal) => {
    const answer = await table.client.send(command, { abortSignal });
    if (answer.Attributes?.['attempt']?.S === attempt) return answer;
    throw new Error(`the answer to UpdateItem for ${id} on ${table.name} is another write's`);
  });
}

/** Changes the item of an id under a condition; without one in it, an item is made where there was none. */
export function updateIf(table: Table, id: string, update: string, condition: Condition): Promise<WriteOutcome> {
  const command = new UpdateItemCommand({
    ...common(table, condition),
    Key: { id: { S: id } },
    UpdateExpression: update,
  });
  return write('UpdateItem', table, (abortSignal) => table.client.send(command, { abortSignal }));
}

/** Deletes the item of an id under a condition. */
export function deleteIf(table: Table, id: string, condition: Condition): Promise<WriteOutcome> {
  const command = new DeleteItemCommand({ ...common(table, condition), Key: { id: { S: id } } });
  return write('DeleteItem', table, (abortSignal) => table.client.send(command, { abortSignal }));
}

/**
 * Reads one item by its key `id`, consistently; undefined if it is not there. It asks by Query, at the price of GetItem:
 * an answer that has no list of items is none of DynamoDB's, while GetItem's "there is none" looks like an empty 200.
 * An item with another id than the one that was asked for is an error, and never "not there".
 */
export async function readItem(table: Table, id: string): Promise<Item | undefined> {
  const [items] = await readPage(table, {
    KeyConditionExpression: 'id = :id',
    ExpressionAttributeValues: { ':id': { S: id } },
    ConsistentRead: true,
  });
  const [item] = items;
  if (item !== undefined && item['id']?.S !== id) {
    throw new Error(`the answer to Query for ${id} on ${table.name} is another item's: ${item['id']?.S ?? 'none'}`);
  }
  return item;
}

/** What a page is asked for, but for the table. */
export type PageInput = Omit<QueryCommandInput, 'TableName' | 'ReturnConsumedCapacity'>;

/** A page, and where the next one starts; undefined behind the last. */
export type Page = readonly [items: readonly Item[], next: Item | undefined];

/** Reads one page by Query. */
export function readPage(table: Table, input: PageInput): Promise<Page> {
  const command = new QueryCommand({ ...input, TableName: table.name, ReturnConsumedCapacity: 'TOTAL' });
  return toPage('Query', table, (abortSignal) => table.client.send(command, { abortSignal }));
}

/**
 * Reads all items of a table, consistently, page by page.
 *
 * @param limit items of one page: what one answer may keep the event loop busy with
 */
export async function* scanPages(table: Table, limit: number): AsyncGenerator<readonly Item[]> {
  let from: Item | undefined;
  do {
    const command = new ScanCommand({
      TableName: table.name,
      ConsistentRead: true,
      Limit: limit,
      ReturnConsumedCapacity: 'TOTAL',
      ExclusiveStartKey: from,
    });
    const [items, next] = await toPage('Scan', table, (abortSignal) => table.client.send(command, { abortSignal }));
    yield items;
    from = next;
  } while (from !== undefined);
}

/** Reads all pages of a query, to the last. */
export async function* queryPages(table: Table, input: PageInput): AsyncGenerator<readonly Item[]> {
  let from: Item | undefined;
  do {
    const [items, next] = await readPage(table, { ...input, ExclusiveStartKey: from });
    yield items;
    from = next;
  } while (from !== undefined);
}

type PageAnswer = WriteAnswer & {
  readonly Items?: readonly Item[] | undefined;
  readonly LastEvaluatedKey?: Item | undefined;
};

async function toPage(what: string, table: Table, send: (signal: AbortSignal) => Promise<PageAnswer>): Promise<Page> {
  const answer = await withDeadline(table.deadline, `${what} on ${table.name}`, send);
  checkAnswer(what, table, answer.ConsumedCapacity);
  if (answer.Items === undefined) throw new Error(`the answer to ${what} on ${table.name} is not DynamoDB's`);
  return [answer.Items, answer.LastEvaluatedKey];
}
