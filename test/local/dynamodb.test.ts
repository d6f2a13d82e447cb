import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TABLE_NAMES, tableDefinitions } from '../../src/aws/tables.ts';
import type { EmbeddedAws } from '../../src/local/aws/server.ts';
import { boto, lacksBoto, sdk, startAws, TVM } from './support.ts';

let aws: EmbeddedAws;
let dynamodb: DynamoDBClient;
beforeAll(async () => {
  aws = await startAws();
  dynamodb = new DynamoDBClient(sdk(aws));
});
afterAll(() => aws.close());

const TableName = DEFAULT_TABLE_NAMES.sessions;
function item(id: string, user: string) {
  return {
    id: { S: id },
    user: { S: user },
    created_at: { S: `2026-01-0${id}` },
  };
}

describe('tables and items', () => {
  beforeAll(async () => {
    for (const { create } of tableDefinitions(DEFAULT_TABLE_NAMES))
      await dynamodb.send(new CreateTableCommand(create));
  });

  it('refuses to create a table twice', async () => {
    const [definition] = tableDefinitions(DEFAULT_TABLE_NAMES);
    await expect(dynamodb.send(new CreateTableCommand(definition!.create))).rejects.toMatchObject({
      name: 'ResourceInUseException',
    });
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
    expect(Table).toMatchObject({ TableStatus: 'ACTIVE', TableName });
  });

  it('puts an item on a condition', async () => {
    const once = new PutItemCommand({
      TableName,
      Item: item('1', 'alice'),
      ConditionExpression: 'attribute_not_exists(id)',
    });
    await dynamodb.send(once);
    await expect(dynamodb.send(once)).rejects.toBeInstanceOf(ConditionalCheckFailedException);
  });

  it('queries an index in reverse order', async () => {
    for (const id of ['2', '3'])
      await dynamodb.send(new PutItemCommand({ TableName, Item: item(id, 'bob') }));
    const { Items } = await dynamodb.send(
      new QueryCommand({
        TableName,
        IndexName: 'gsi-user',
        KeyConditionExpression: '#u = :u',
        ExpressionAttributeNames: { '#u': 'user' },
        ExpressionAttributeValues: { ':u': { S: 'bob' } },
        ScanIndexForward: false,
      }),
    );
    expect(Items?.map(({ id }) => id)).toEqual([{ S: '3' }, { S: '2' }]);
  });

  it('counts items, and reads consistently', async () => {
    const Key = { id: { S: 'counter' } };
    const add = new UpdateItemCommand({
      TableName: DEFAULT_TABLE_NAMES.guard,
      Key,
      UpdateExpression: 'ADD hits :one',
      ExpressionAttributeValues: { ':one': { N: '1' } },
    });
    await Promise.all([dynamodb.send(add), dynamodb.send(add), dynamodb.send(add)]);
    const read = new GetItemCommand({
      TableName: DEFAULT_TABLE_NAMES.guard,
      Key,
      ConsistentRead: true,
    });
    expect((await dynamodb.send(read)).Item?.['hits']).toEqual({ N: '3' });
  });

  it.skipIf(lacksBoto())('serves botocore', async () => {
    const [scanned, missing] = await boto(aws.url, [
      { service: 'dynamodb', method: 'scan', params: { TableName } },
      { service: 'dynamodb', method: 'scan', params: { TableName: 'nothing-here' } },
    ]);
    expect(scanned?.answer?.['Count']).toBe(3);
    expect(missing).toMatchObject({ code: 'ResourceNotFoundException', status: 400 });
  });
});

describe('the time to live of a table', () => {
  const table = DEFAULT_TABLE_NAMES.requests;
  function update(Enabled: boolean, name = table) {
    return dynamodb.send(
      new UpdateTimeToLiveCommand({
        TableName: name,
        TimeToLiveSpecification: { AttributeName: 'ttl', Enabled },
      }),
    );
  }
  async function describeTtl() {
    return (await dynamodb.send(new DescribeTimeToLiveCommand({ TableName: table })))
      .TimeToLiveDescription;
  }

  it('is stored for each table', async () => {
    expect(await describeTtl()).toEqual({ TimeToLiveStatus: 'DISABLED' });
    await update(true);
    expect(await describeTtl()).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'ttl' });
    await expect(update(true)).rejects.toMatchObject({ message: 'TimeToLive is already enabled' });
  });

  it('is deleted with its table', async () => {
    await dynamodb.send(new DeleteTableCommand({ TableName: table }));
    await expect(describeTtl()).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(update(true)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    const again = tableDefinitions(DEFAULT_TABLE_NAMES).find(
      ({ create }) => create.TableName === table,
    );
    await dynamodb.send(new CreateTableCommand(again!.create));
    expect(await describeTtl()).toEqual({ TimeToLiveStatus: 'DISABLED' });
  });
});

describe('a malformed body', () => {
  const signer = new SignatureV4({
    credentials: TVM,
    region: 'us-east-1',
    service: 'dynamodb',
    sha256: Sha256,
  });

  async function send(operation: string, body: string): Promise<Response> {
    const url = new URL(aws.url);
    const target = `DynamoDB_20120810.${operation}`;
    const headers = {
      host: url.host,
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': target,
    };
    const signed = await signer.sign({
      method: 'POST',
      protocol: 'http:',
      hostname: url.hostname,
      path: '/',
      query: {},
      headers,
      body,
    });
    const { host: _host, ...sent } = signed.headers;
    return fetch(aws.url, { method: 'POST', headers: sent, body });
  }

  it.each([
    '',
    'null',
    '[]',
    '1',
    '{',
    '"x"',
    '{"TableName":[]}',
    '{"TableName":null,"Item":{"id":{"S":1}}}',
  ])('is answered with an error: %j', async (body) => {
    for (const operation of [
      'PutItem',
      'UpdateTimeToLive',
      'DescribeTimeToLive',
      'DeleteTable',
      'Nothing',
    ]) {
      const response = await send(operation, body);
      expect({ operation, status: response.status }).toEqual({ operation, status: 400 });
      expect(await response.json()).toHaveProperty('__type');
    }
  });
});
