import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import type { Item } from '../../src/aws/attributes.ts';
import { updateAs } from '../../src/aws/change.ts';
import {
  deleteIf,
  putIf,
  putNew,
  queryPages,
  readItem,
  scanPages,
  updateIf,
  type IndexQuery,
  type Table,
} from '../../src/aws/table.ts';

/** What every answer of DynamoDB holds. */
const CAPACITY = { ConsumedCapacity: { TableName: 'here' } };

/** A table whose client gives these answers in turn, or rejects with an error among them. */
function tableOf(
  ...answers: readonly (object | Error)[]
): Table & { readonly sent: { input: object }[] } {
  const left = [...answers];
  const sent: { input: object }[] = [];
  async function send(command: { input: object }): Promise<object> {
    sent.push(command);
    const answer = left.shift();
    if (answer === undefined) return new Promise(() => undefined);
    if (answer instanceof Error) throw answer;
    return answer;
  }
  return { client: { send } as unknown as DynamoDBClient, name: 'here', deadline: 50, sent };
}

const ITEM: Item = { id: { S: 'a' } };
const ANY = { condition: 'attribute_exists(id)' };
const ALL: IndexQuery = { index: 'gsi', condition: 'x = :x', order: 'rising', limit: undefined };

const WRITES: readonly (readonly [string, (table: Table) => Promise<unknown>])[] = [
  ['putIf', (table) => putIf(table, ITEM, ANY)],
  ['putNew', (table) => putNew(table, ITEM, 'attempt')],
  [
    'updateIf',
    (table) => updateIf(table, 'a', 'SET x = :x', { ...ANY, values: { ':x': { N: '1' } } }),
  ],
  ['deleteIf', (table) => deleteIf(table, 'a', ANY)],
];

async function collect(pages: AsyncGenerator<readonly Item[]>): Promise<readonly Item[]> {
  const all: Item[] = [];
  for await (const items of pages) all.push(...items);
  return all;
}

const READS: readonly (readonly [string, (table: Table) => Promise<unknown>])[] = [
  ['readItem', (table) => readItem(table, 'a')],
  ['scanPages', (table) => collect(scanPages(table, 10))],
  ['queryPages', (table) => collect(queryPages(table, ALL))],
];

describe.each(WRITES)('%s', (_, run) => {
  it('gives done when DynamoDB names the table, and refused when the condition does not hold', async () => {
    expect(await run(tableOf(CAPACITY))).toBe('done');
    const refused = new ConditionalCheckFailedException({ message: 'no', $metadata: {} });
    expect(await run(tableOf(refused))).toBe('refused');
  });
});

describe.each([...WRITES, ...READS])('%s', (_, run) => {
  it.each<readonly [string, object]>([
    ['an empty 200', {}],
    ['an empty list without its table', { Items: [] }],
    ['the answer of another table', { Items: [], ConsumedCapacity: { TableName: 'elsewhere' } }],
  ])('rejects %s', async (__, answer) => {
    await expect(run(tableOf(answer))).rejects.toThrow("is not DynamoDB's");
  });

  it('rejects when DynamoDB fails, and when an answer never ends', async () => {
    await expect(run(tableOf(new Error('throttled')))).rejects.toThrow('throttled');
    await expect(run(tableOf())).rejects.toThrow('has not ended within 50 ms');
  });
});

describe('updateAs', () => {
  const change = { ...ANY, update: 'SET attempt = :attempt' };
  function run(...answers: readonly (object | Error)[]): Promise<Item | 'refused'> {
    return updateAs(tableOf(...answers), 'a', 'mine', change);
  }

  it('gives what was changed when the answer holds the id of this attempt', async () => {
    const changed = { attempt: { S: 'mine' }, count: { N: '2' } };
    expect(await run({ ...CAPACITY, Attributes: changed })).toEqual(changed);
  });

  it('gives refused when the condition does not hold', async () => {
    expect(await run(new ConditionalCheckFailedException({ message: 'no', $metadata: {} }))).toBe(
      'refused',
    );
  });

  it.each<readonly [string, object]>([
    ['an answer without attributes', CAPACITY],
    [
      'the answer to another attempt',
      { ...CAPACITY, Attributes: { attempt: { S: 'other' }, count: { N: '2' } } },
    ],
  ])('rejects %s', async (_, answer) => {
    await expect(run(answer)).rejects.toThrow("another write's");
  });

  it("rejects an answer that is not DynamoDB's", async () => {
    await expect(run({ Attributes: { attempt: { S: 'mine' } } })).rejects.toThrow(
      "is not DynamoDB's",
    );
  });
});

describe('readItem', () => {
  it('gives the item, or undefined where there is none', async () => {
    expect(await readItem(tableOf({ ...CAPACITY, Items: [ITEM] }), 'a')).toEqual(ITEM);
    expect(await readItem(tableOf({ ...CAPACITY, Items: [] }), 'a')).toBeUndefined();
  });

  it('rejects an item with another id than the one asked for', async () => {
    await expect(readItem(tableOf({ ...CAPACITY, Items: [ITEM] }), 'b')).rejects.toThrow(
      "another item's: a",
    );
  });
});

describe('scanPages and queryPages', () => {
  it('read to the last page, and reject rather than give half of them', async () => {
    const first = {
      ...CAPACITY,
      Items: [{ id: { S: 'a' } }],
      LastEvaluatedKey: { id: { S: 'a' } },
    };
    const last = { ...CAPACITY, Items: [{ id: { S: 'b' } }] };
    const table = tableOf(first, last);
    expect(await collect(scanPages(table, 1))).toHaveLength(2);
    expect(table.sent[1]?.input).toMatchObject({ ExclusiveStartKey: { id: { S: 'a' } } });
    await expect(collect(queryPages(tableOf(first, {}), ALL))).rejects.toThrow("is not DynamoDB's");
  });
});
