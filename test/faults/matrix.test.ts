import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ScanCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { call, get, putProfile, signedCall } from '../http/support.ts';
import { clientOf, send, tableOf } from '../revocations/support.ts';
import {
  BREAKING_FAULTS,
  startFaultProxy,
  type Call,
  type FaultProxy,
} from '../support/fault-proxy.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/**
 * Each write that an answer acknowledges, with each fault of DynamoDB: if the TVM answers 2xx, the
 * write is in the table; else it answers 503, and the request may be sent again.
 */
let desk: Desk;
let direct: DynamoDBClient;
const running: { close: () => Promise<void> }[] = [];

beforeAll(async () => {
  desk = await startDesk();
  direct = clientOf(desk.url);
  await putProfile(desk, 'tracked', {
    effect: 'require_server_session',
    conditions: { users: ['alice'] },
  });
});
afterAll(async () => {
  for (const one of running.toReversed()) await one.close();
  direct.destroy();
  await desk.close();
});

/**
 * A TVM behind a proxy of its own, so that what one case leaves hanging does not affect the next.
 */
async function startBehind(): Promise<{ readonly tvm: RunningTvm; readonly proxy: FaultProxy }> {
  const proxy = await startFaultProxy(desk.url);
  const tvm = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_DYNAMODB: proxy.url } });
  running.push(proxy, tvm);
  return { tvm, proxy };
}

function isPut({ operation, body }: Call, what: string): boolean {
  return operation === 'PutItem' && body.includes(what);
}

/** Whether a call records the use of a signed request. */
function isUse({ operation, body }: Call): boolean {
  return operation === 'UpdateItem' && body.includes('"replay#');
}

/** Whether the log of revocations holds an entry for a user. */
async function isRevokedInTable(user: string): Promise<boolean> {
  const { Items = [] } = await direct.send(
    new ScanCommand({ TableName: 'sentinel-revocations', ConsistentRead: true }),
  );
  return Items.some((item) => item['value']?.S === user);
}

describe.each(BREAKING_FAULTS)('while DynamoDB answers writes with "%s"', (fault) => {
  const user = `victim-of-${fault}`;

  it('answers 201 to a revocation only if its entry is in the log', async () => {
    const { tvm, proxy } = await startBehind();
    proxy.set('dynamodb', (one) => (isPut(one, '"rev#') ? fault : 'ok'));
    const answer = await send(tvm, '/revocations', {
      kind: 'user',
      value: user,
      reason: 'laptop stolen',
    });
    expect([201, 503]).toContain(answer.status);
    if (answer.status === 201) expect(await isRevokedInTable(`key/${user}`)).toBe(true);
    else expect(answer.headers['retry-after']).toMatch(/^\d+$/u);
    proxy.set('dynamodb', 'ok');
    const again = await send(tvm, '/revocations', {
      kind: 'user',
      value: user,
      reason: 'laptop stolen',
    });
    expect(again.status, again.body).toBe(201);
    expect(await isRevokedInTable(`key/${user}`)).toBe(true);
  });

  it('answers 200 to a vend that requires a session only if its row is in the table', async () => {
    const { tvm, proxy } = await startBehind();
    const label = `label-${fault}`;
    proxy.set('dynamodb', (one) => (isPut(one, '"sentinel-sessions"') ? fault : 'ok'));
    const answer = await get(tvm, { profile: 'tracked', session_label: label });
    expect([200, 503]).toContain(answer.status);
    const id = String(answer.json['SessionId']);
    if (answer.status === 200) expect(await tableOf(direct, 'sessions').get(id)).toBeDefined();
    proxy.set('dynamodb', 'ok');
    const again = await get(tvm, { profile: 'tracked', session_label: label });
    expect(again.status, again.body).toBe(200);
    expect(await tableOf(direct, 'sessions').get(String(again.json['SessionId']))).toBeDefined();
  });

  it('vends for a request only if its use is in the guard table, and never again', async () => {
    const { tvm, proxy } = await startBehind();
    const once = signedCall(tvm, { query: 'profile=dev' });
    proxy.set('dynamodb', (one) => (isUse(one) ? fault : 'ok'));
    const first = await sendRaw(tvm.port, once);
    expect([200, 503]).toContain(first.status);
    proxy.set('dynamodb', 'ok');
    const { tvm: other } = await startBehind();
    const there = signedCall(tvm, { query: 'profile=dev' });
    expect((await sendRaw(tvm.port, there)).status).toBe(200);
    expect((await sendRaw(tvm.port, there)).json['error']).toBe('RequestReplayed');
    // Another instance can know of the same bytes only from the table.
    if (first.status === 200)
      expect((await sendRaw(other.port, once)).json['error']).toBe('RequestReplayed');
    expect((await call(other, { path: '/whoami' })).status).toBe(200);
  });
});

describe('while DynamoDB answers with the item of another write', () => {
  it('does not vend for a used request', async () => {
    const { tvm, proxy } = await startBehind();
    const { tvm: other } = await startBehind();
    const once = signedCall(other, { query: 'profile=dev' });
    expect((await sendRaw(other.port, once)).status).toBe(200);
    const Attributes = { attempt: { S: '0123456789abcdef' }, ttl: { N: '1' } };
    const body = JSON.stringify({
      Attributes,
      ConsumedCapacity: { TableName: 'sentinel-guard', CapacityUnits: 1 },
    });
    proxy.set('dynamodb', (one) =>
      isUse(one) ? { status: 200, type: 'application/x-amz-json-1.0', body } : 'ok',
    );
    const copy = await sendRaw(tvm.port, once);
    expect([copy.status, copy.json['error']], copy.body).toEqual([503, 'ServiceUnavailable']);
  });
});
