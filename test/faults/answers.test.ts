import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { call, forward, get, putProfile, startFake, type FakeAnswer } from '../http/support.ts';
import {
  clientOf,
  lift,
  openSession,
  revoke,
  REVOKED,
  send,
  tableOf,
  until,
  vend,
} from '../revocations/support.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/** Single wrong answers of DynamoDB, none of which the TVM may take for a success. */
let desk: Desk;
const running: { close: () => Promise<void> }[] = [];

beforeEach(async () => {
  desk = await startDesk();
  running.push(desk);
});

afterEach(async () => {
  for (const one of running.splice(0).toReversed()) await one.close();
});

const EMPTY: FakeAnswer = { status: 200, body: '{}' };

/**
 * A TVM whose DynamoDB answers an empty 200 to the calls that `loses` picks, and does nothing for
 * them.
 */
async function startLosing(
  loses: (operation: string, body: string) => boolean,
): Promise<RunningTvm> {
  const wire = await startFake((body, incoming) => {
    const operation = String(incoming.headers['x-amz-target']).split('.')[1] ?? '';
    if (loses(operation, body)) return EMPTY;
    // The feed may be reading when the test ends.
    return forward(desk.port, body, incoming).catch((): FakeAnswer => 'close');
  });
  const tvm = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_DYNAMODB: wire.url } });
  running.push(wire, tvm);
  return tvm;
}

async function start(): Promise<RunningTvm> {
  const tvm = await startTvm(desk.url);
  running.push(tvm);
  return tvm;
}

const ALICE = { kind: 'user', value: 'alice', reason: 'the laptop was stolen' };

describe('an empty 200 of DynamoDB', () => {
  it('for the entry of a revocation is a 503, and nobody is revoked', async () => {
    const tvm = await startLosing(
      (operation, body) => operation === 'PutItem' && body.includes('"rev#'),
    );
    expect((await send(tvm, '/revocations', ALICE)).status).toBe(503);
    expect(await vend(tvm)).toBe(200);
  });

  it('for the head of the log or its note loses no revocation', async () => {
    const tvm = await startLosing(
      (operation, body) =>
        operation !== 'Query' && (body.includes('"head"') || body.includes('revocations#head')),
    );
    expect((await send(tvm, '/revocations', ALICE)).status).toBe(503);
    const other = await start();
    const loses = await startLosing(
      (operation, body) => operation === 'UpdateItem' && body.includes('#head'),
    );
    expect((await send(loses, '/revocations', ALICE)).status).toBe(201);
    await until(async () => (await vend(other)) === REVOKED, 3_000);
  });

  it('for the row of a session is recorded as degraded, and is a 503 if the row is required', async () => {
    await putProfile(desk, 'tracked', {
      effect: 'require_server_session',
      conditions: { users: ['alice'] },
    });
    const tvm = await startLosing(
      (operation, body) => operation === 'PutItem' && body.includes('sentinel-sessions'),
    );
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
    expect(tvm.audit.at(-1)).toMatchObject({ tracking: 'degraded' });
    expect((await get(tvm, { profile: 'tracked' })).status).toBe(503);
  });

  it('for the row of a session with hard_revoke is a 503', async () => {
    const arn = 'arn:aws:iam::000000000000:role/SentinelProtected-dev';
    const more = {
      role_arn: arn,
      hard_revoke: true,
      revoker_role_arn: 'arn:aws:iam::000000000000:role/sentinel-revoker',
    };
    await putProfile(desk, 'hard', { effect: 'allow', conditions: { users: ['alice'] } }, more);
    const tvm = await startLosing(
      (operation, body) => operation === 'PutItem' && body.includes('sentinel-sessions'),
    );
    expect((await get(tvm, { profile: 'hard' })).status).toBe(503);
  });
});

describe('DELETE /revocations/{id}', () => {
  it('finds at once a revocation that another instance made', async () => {
    const [one, other] = [await start(), await start()];
    for (let time = 0; time < 20; time += 1) {
      const id = await revoke(one, 'user', `victim-${time}`);
      expect((await lift(other, id)).status).toBe(200);
    }
  });

  it('lets a session be revoked again once it is lifted', async () => {
    const [one, other] = [await start(), await start()];
    const id = await openSession(one);
    const first = await revoke(one, 'session', id);
    expect((await send(other, `/sessions/${id}/revoke`, { reason: 'again' })).status).toBe(409);
    expect((await lift(other, first)).status).toBe(200);
    const again = await send(one, `/sessions/${id}/revoke`, { reason: 'again' });
    expect(again.status, again.body).toBe(200);
    await until(async () => (await vend(other)) === REVOKED, 3_000);
    const row = await tableOf(clientOf(desk.url), 'sessions').get(id);
    expect(row?.['revocation']).toEqual({ N: String(again.json['id']) });
    expect((await send(one, `/sessions/${id}/revoke`, { reason: 'twice' })).status).toBe(409);
  });
});

describe('an entry missing from the log of revocations', () => {
  it('makes instances answer 503 until an operator lifts its number', async () => {
    const [one, other] = [await start(), await start()];
    const first = await revoke(one, 'user', 'victim');
    await revoke(one, 'user', 'alice');
    await tableOf(clientOf(desk.url), 'revocations').remove(`rev#${first}`);
    const late = await start();
    async function asBob(tvm: RunningTvm) {
      return (await call(tvm, { path: '/whoami', as: 'bob' })).status;
    }
    expect(await asBob(late)).toBe(503);
    const ready = await call(late, { path: '/readyz' });
    expect([ready.status, ready.json['revocations']]).toMatchObject([503, { broken: true }]);
    expect(late.log()).toContain(`revocation ${first} is missing from the table`);
    expect(await asBob(one), 'an instance that knew the entry goes on').toBe(200);
    expect((await lift(late, first, 'bob')).status).toBe(403);
    expect((await lift(late, String(Number(first) + 1))).status, 'only what is broken').toBe(503);
    expect((await lift(late, first)).status).toBe(200);
    expect(late.audit.at(-1)).toMatchObject({
      action: 'lifted',
      effect: 'allow',
      revocation_id: first,
    });
    await until(async () => (await asBob(late)) === 200, 5_000);
    expect(await vend(late)).toBe(REVOKED);
    await until(async () => (await vend(other)) === REVOKED, 3_000);
  });
});
