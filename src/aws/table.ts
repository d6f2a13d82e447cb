import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
  type ConsumedCapacity,
  type DynamoDBClient,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import { withDeadline } from '../lib/deadline.ts';
import { attributes, textAt, type Item } from './attributes.ts';

/** A table: client, name, and how long one call may take, retries and whole answer included. */
export type Table = {
  readonly client: DynamoDBClient;
  readonly name: string;
  /** Milliseconds. */
  readonly deadline: number;
};

/** A condition, and the names and values of all expressions of the call that it belongs to. */
export type Condition = {
  readonly condition: string;
  readonly names?: Record<string, string>;
  readonly values?: Item;
};

/** `refused`: the condition does not hold, so nothing was written. Other failures reject. */
export type WriteOutcome = 'done' | 'refused';

/**
 * Throws unless an answer is DynamoDB's own. The SDK takes an empty 200 of a proxy in between for a
 * success; DynamoDB, when asked to, names the table that it worked on as the request named it:
 * https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
 */
function checkAnswer(what: string, table: Table, capacity: ConsumedCapacity | undefined): void {
  if (capacity?.TableName === table.name) return;
  throw new Error(`the answer to ${what} on ${table.name} is not DynamoDB's`);
}

type WriteAnswer = { readonly ConsumedCapacity?: ConsumedCapacity | undefined };

/** Sends one conditional write and gives DynamoDB's answer to it. */
export async function sendWrite<Answer extends WriteAnswer>(
  what: string,
  table: Table,
  run: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer | 'refused'> {
  try {
    const answer = await withDeadline(table.deadline, `${what} on ${table.name}`, run);
    checkAnswer(what, table, answer.ConsumedCapacity);
    return answer;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return 'refused';
    throw error;
  }
}

/** Sends one conditional write and says whether it was done. */
async function write(
  what: string,
  table: Table,
  run: (signal: AbortSignal) => Promise<WriteAnswer>,
): Promise<WriteOutcome> {
  return (await sendWrite(what, table, run)) === 'refused' ? 'refused' : 'done';
}

/** The parts that each conditional command has; DynamoDB refuses empty maps. */
export function commonOf(table: Table, { condition, names, values }: Condition) {
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
  const command = new PutItemCommand({ ...commonOf(table, condition), Item: item });
  return write('PutItem', table, (abortSignal) => table.client.send(command, { abortSignal }));
}

/**
 * Puts an item if there is none of its id. It holds the id of the attempt: an SDK that repeats a
 * write whose answer was lost finds its own item, which is no refusal. Another attempt of the same
 * caller has another id, unless it is given.
 */
export function putNew(table: Table, item: Item, attempt: string): Promise<WriteOutcome> {
  const own = attributes({ attempt });
  return putIf(
    table,
    { ...item, ...own },
    {
      condition: 'attribute_not_exists(id) OR #attempt = :attempt',
      names: { '#attempt': 'attempt' },
      values: attributes({ ':attempt': attempt }),
    },
  );
}

/**
 * Changes the item of an id under a condition. Makes the item where there was none, if the
 * condition allows that.
 */
export function updateIf(
  table: Table,
  id: string,
  update: string,
  condition: Condition,
): Promise<WriteOutcome> {
  const command = new UpdateItemCommand({
    ...commonOf(table, condition),
    Key: attributes({ id }),
    UpdateExpression: update,
  });
  return write('UpdateItem', table, (abortSignal) => table.client.send(command, { abortSignal }));
}

/** Deletes the item of an id under a condition. */
export function deleteIf(table: Table, id: string, condition: Condition): Promise<WriteOutcome> {
  const command = new DeleteItemCommand({ ...commonOf(table, condition), Key: attributes({ id }) });
  return write('DeleteItem', table, (abortSignal) => table.client.send(command, { abortSignal }));
}

/**
 * Reads one item by its key `id`, consistently; undefined if it is not there. It asks by Query, at
 * the price of GetItem: an answer without a list of items is not DynamoDB's, while GetItem's "there
 * is none" looks like an empty 200. An item with another id than the one asked for is an error, and
 * never "not there".
 */
export async function readItem(table: Table, id: string): Promise<Item | undefined> {
  const [[item]] = await query(table, {
    KeyConditionExpression: 'id = :id',
    ExpressionAttributeValues: attributes({ ':id': id }),
    ConsistentRead: true,
  });
  const found = textAt(item, 'id');
  if (item !== undefined && found !== id) {
    throw new Error(
      `the answer to Query for ${id} on ${table.name} is another item's: ${found ?? 'none'}`,
    );
  }
  return item;
}

/** What an index is asked for: a condition on its key, the order, and how many items a page. */
export type IndexQuery = Condition & {
  readonly index: string;
  readonly order: 'rising' | 'falling';
  /** Items of one page, before the filter; undefined for as many as DynamoDB gives. */
  readonly limit: number | undefined;
  /** A condition on items of the index that are given. */
  readonly filter?: string;
};

/** A page, and where the next one starts; undefined behind the last. */
export type Page = readonly [items: readonly Item[], next: Item | undefined];

/** Reads one page of an index, from where an earlier page said; undefined for the first. */
export function readPage(
  table: Table,
  { index, condition, names, values, order, limit, filter }: IndexQuery,
  from: Item | undefined,
): Promise<Page> {
  return query(table, {
    IndexName: index,
    KeyConditionExpression: condition,
    FilterExpression: filter,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
    ScanIndexForward: order === 'rising',
    Limit: limit,
    ExclusiveStartKey: from,
  });
}

function query(
  table: Table,
  input: Omit<QueryCommandInput, 'TableName' | 'ReturnConsumedCapacity'>,
): Promise<Page> {
  const command = new QueryCommand({
    ...input,
    TableName: table.name,
    ReturnConsumedCapacity: 'TOTAL',
  });
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
    const [items, next] = await toPage('Scan', table, (abortSignal) =>
      table.client.send(command, { abortSignal }),
    );
    yield items;
    from = next;
  } while (from !== undefined);
}

/** Reads all pages of an index, to the last. */
export async function* queryPages(table: Table, of: IndexQuery): AsyncGenerator<readonly Item[]> {
  let from: Item | undefined;
  do {
    const [items, next] = await readPage(table, of, from);
    yield items;
    from = next;
  } while (from !== undefined);
}

type PageAnswer = WriteAnswer & {
  readonly Items?: readonly Item[] | undefined;
  readonly LastEvaluatedKey?: Item | undefined;
};

async function toPage(
  what: string,
  table: Table,
  run: (signal: AbortSignal) => Promise<PageAnswer>,
): Promise<Page> {
  const answer = await withDeadline(table.deadline, `${what} on ${table.name}`, run);
  checkAnswer(what, table, answer.ConsumedCapacity);
  if (answer.Items === undefined)
    throw new Error(`the answer to ${what} on ${table.name} is not DynamoDB's`);
  return [answer.Items, answer.LastEvaluatedKey];
}
