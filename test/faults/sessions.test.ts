import { randomUUID } from 'node:crypto';
import {
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  type AttributeValue,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { call, forward, get, putProfile, startFake, type FakeAnswer } from '../http/support.ts';
import { sendRaw } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/** Sessions across instances, with forged rows, and without DynamoDB. */
let desk: Desk;
let dynamodb: DynamoDBClient;
const running: { close: () => Promise<void> }[] = [];

beforeAll(async () => {
  desk = await startDesk();
  await putProfile(desk, 'tracked', {
    effect: 'require_server_session',
    conditions: { users: ['alice'] },
  });
  dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
});

afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

afterAll(async () => {
  dynamodb.destroy();
  await desk.close();
});

async function start(options: Parameters<typeof startTvm>[1] = {}): Promise<RunningTvm> {
  const tvm = await startTvm(desk.url, options);
  running.push(tvm);
  return tvm;
}

type Item = Record<string, AttributeValue>;

async function rowsOf(label: string): Promise<readonly Item[]> {
  const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: 'sentinel-sessions' }));
  return Items.filter((item) => item['session_label']?.S === label);
}

async function slotOf(label: string): Promise<Item> {
  const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: 'sentinel-guard' }));
  const found = Items.find((item) => item['session_label']?.S === label);
  if (found === undefined) throw new Error('there is no slot');
  return found;
}

async function vendId(tvm: RunningTvm, session_label: string): Promise<unknown> {
  const { status, json } = await get(tvm, { profile: 'dev', session_label });
  expect(status).toBe(200);
  return json['SessionId'];
}

/** A proxy before DynamoDB that counts operations, and fails those that a test picks. */
async function startCounter(
  fails: (body: string, operation: string) => FakeAnswer | undefined = () => undefined,
) {
  const counts = new Map<string, number>();
  const fake = await startFake((body, incoming) => {
    const operation = String(incoming.headers['x-amz-target']).split('.')[1] ?? '';
    counts.set(operation, (counts.get(operation) ?? 0) + 1);
    return fails(body, operation) ?? forward(desk.port, body, incoming);
  });
  running.push(fake);
  return { url: fake.url, counts };
}

describe('first vends at the same time', () => {
  it('open exactly one session on five instances', async () => {
    const tvms = await Promise.all([1, 2, 3, 4, 5].map(() => start()));
    for (const label of ['crowd-1', 'crowd-2', 'crowd-3']) {
      const ids = await Promise.all(
        Array.from({ length: 64 }, (_, n) => vendId(tvms[n % tvms.length] as RunningTvm, label)),
      );
      expect(new Set(ids).size).toBe(1);
      expect((await rowsOf(label)).map(({ id }) => id?.S)).toEqual([ids[0]]);
    }
  });
});

describe('a session in use', () => {
  it('needs no read, and no write but that of the replay guard', async () => {
    const { url, counts } = await startCounter();
    const tvm = await start({ environment: { AWS_ENDPOINT_URL_DYNAMODB: url } });
    await vendId(tvm, 'steady');
    await new Promise((wake) => setTimeout(wake, 300));
    counts.clear();
    const begun = Date.now();
    for (let vend = 0; vend < 100; vend += 1) await vendId(tvm, 'steady');
    const seconds = (Date.now() - begun) / 1_000;
    expect(counts.get('UpdateItem')).toBe(100);
    expect(counts.get('PutItem')).toBeUndefined();
    expect(counts.get('GetItem')).toBeUndefined();
    // The feed reads at its own pace, whatever the load.
    expect(counts.get('Query') ?? 0).toBeLessThanOrEqual(Math.ceil(seconds * 2.5) + 3);
  });

  it('has its row written after 15 minutes, and is replaced after SENTINEL_SESSION_LIFE', async () => {
    let offset = 0;
    const tvm = await start({
      clock: () => Date.now() + offset,
      environment: { SENTINEL_SESSION_LIFE: '1h' },
    });
    async function later(): Promise<unknown> {
      const amzDate = new Date(Date.now() + offset).toISOString().replace(/[-:]|\.\d{3}/gu, '');
      const query = 'duration=3600&profile=dev&session_label=aging';
      const { headers } = sign({
        host: tvm.host,
        query,
        amzDate,
        headers: { 'x-sentinel-nonce': randomUUID() },
      });
      const answer = await sendRaw(tvm.port, { target: `/?${query}`, headers });
      expect(answer.status, answer.body).toBe(200);
      return answer.json['SessionId'];
    }
    const id = await later();
    expect(id).toMatch(/^[0-9a-f]{16}$/u);
    for (const minute of [5, 10]) {
      offset = minute * 60_000;
      expect(await later()).toBe(id);
    }
    expect((await rowsOf('aging'))[0]?.['request_count']).toEqual({ N: '1' });
    offset = 16 * 60_000;
    expect(await later()).toBe(id);
    expect((await rowsOf('aging'))[0]?.['request_count']).toEqual({ N: '4' });
    expect(tvm.audit.at(-1)?.['session_duration_seconds']).toBeLessThanOrEqual(2_640);
    expect(tvm.audit.at(-1)?.['session_duration_seconds']).toBeGreaterThan(2_600);
    offset = 59.5 * 60_000;
    expect(await later()).not.toBe(id);
  });
});

describe('rows and slots that the TVM did not write', () => {
  it('are never active, and their slots have no effect', async () => {
    const tvm = await start();
    const id = await vendId(tvm, 'forged');
    const [row] = await rowsOf('forged');
    function forge(change: Item): Promise<unknown> {
      return dynamodb.send(
        new PutItemCommand({ TableName: 'sentinel-sessions', Item: { ...row, ...change } }),
      );
    }
    await forge({ id: { S: 'aaaaaaaaaaaaaaaa' } });
    await forge({ id: { S: 'bbbbbbbbbbbbbbbb' }, signature: { S: '' } });
    async function shown(of: string) {
      return (await call(tvm, { path: `/sessions/${of}`, as: 'olivia' })).json['active'];
    }
    expect([
      await shown(String(id)),
      await shown('aaaaaaaaaaaaaaaa'),
      await shown('bbbbbbbbbbbbbbbb'),
    ]).toEqual([true, false, false]);
    const slot = await slotOf('forged');
    const far = String(Date.now() + 1e12);
    for (const change of [
      { session: { S: 'aaaaaaaaaaaaaaaa' } },
      { ends: { N: far }, expires_at: { S: '2099-01-01T00:00:00.000Z' } },
      { signature: { S: 'local.00' } },
    ]) {
      await dynamodb.send(
        new PutItemCommand({ TableName: 'sentinel-guard', Item: { ...slot, ...change } }),
      );
      const fresh = await vendId(await start(), 'forged');
      expect(fresh).not.toBe('aaaaaaaaaaaaaaaa');
      const { Item: stored } = await dynamodb.send(
        new GetItemCommand({ TableName: 'sentinel-sessions', Key: { id: { S: String(fresh) } } }),
      );
      expect(Date.parse(stored?.['expires_at']?.S ?? '')).toBeLessThan(Date.now() + 9 * 3_600_000);
    }
  });

  it('revoke a principal on its profile when Sentinel’s CLI marked its row as revoked', async () => {
    const id = await vendId(await start(), 'by-sentinel');
    await dynamodb.send(
      new UpdateItemCommand({
        TableName: 'sentinel-sessions',
        Key: { id: { S: String(id) } },
        UpdateExpression: 'SET #s = :r, revoked_by = :b',
        ExpressionAttributeNames: { '#s': 'status' },
        ExpressionAttributeValues: { ':r': { S: 'revoked' }, ':b': { S: 'sentinel-cli' } },
      }),
    );
    const later = await start();
    expect((await get(later, { profile: 'dev' })).json['error']).toBe('SessionRevoked');
    expect((await call(later, { path: `/sessions/${String(id)}` })).json).toMatchObject({
      active: false,
      status: 'revoked',
    });
    await dynamodb.send(
      new UpdateItemCommand({
        TableName: 'sentinel-sessions',
        Key: { id: { S: String(id) } },
        UpdateExpression: 'SET #s = :r',
        ExpressionAttributeNames: { '#s': 'status' },
        ExpressionAttributeValues: { ':r': { S: 'expired' } },
      }),
    );
    expect((await get(await start(), { profile: 'dev' })).status).toBe(200);
  });
});

describe('a vend whose session cannot be written', () => {
  it('is recorded as degraded, and is a 503 if the session is required', async () => {
    function broken(body: string, operation: string): FakeAnswer | undefined {
      return operation === 'PutItem' && body.includes('"session_label"')
        ? { status: 500, body: '{}' }
        : undefined;
    }
    const { url } = await startCounter(broken);
    const tvm = await start({ environment: { AWS_ENDPOINT_URL_DYNAMODB: url } });
    expect((await get(tvm, { profile: 'dev', session_label: 'none' })).status).toBe(200);
    expect(tvm.audit.at(-1)).toMatchObject({ outcome: 'vended', tracking: 'degraded' });
    const refused = await get(tvm, { profile: 'tracked' });
    expect([refused.status, refused.json['error']]).toEqual([503, 'ServiceUnavailable']);
    expect(tvm.audit.at(-1)).toMatchObject({ outcome: 'failed', error: 'unavailable' });
  });

  it('leaves neither row nor slot when it is denied', async () => {
    const tvm = await start();
    expect((await get(tvm, { profile: 'vault', session_label: 'denied' })).status).toBe(403);
    expect(await rowsOf('denied')).toEqual([]);
    await expect(slotOf('denied')).rejects.toThrow('no slot');
  });
});
