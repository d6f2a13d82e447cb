import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, get } from '../http/support.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { sendRaw } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/** Revocation across instances, and while DynamoDB fails. */
const WHY = 'the laptop was stolen';
let desk: Desk;

beforeAll(async () => {
  desk = await startDesk();
});

afterAll(async () => {
  await desk.close();
});

function revoke(tvm: RunningTvm, value: string): Promise<RawAnswer> {
  return call(tvm, {
    method: 'POST',
    path: '/revocations',
    as: 'olivia',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'user', value, reason: WHY }),
  });
}

function lift(tvm: RunningTvm, { json }: RawAnswer): Promise<RawAnswer> {
  return call(tvm, { method: 'DELETE', path: `/revocations/${String(json['id'])}`, as: 'olivia' });
}

async function statusOf(tvm: RunningTvm): Promise<number> {
  return (await get(tvm, { profile: 'dev' })).status;
}

describe('five instances on one table', () => {
  it('refuse a user whom one of them revoked, and serve again when another lifts that', async () => {
    const tvms = await Promise.all([1, 2, 3, 4, 5].map(() => startTvm(desk.url)));
    const [first, second] = tvms as [RunningTvm, RunningTvm];
    for (let trial = 0; trial < 3; trial += 1) {
      const revoked = await revoke(first, 'alice');
      expect(await statusOf(first)).toBe(403);
      async function all(status: number): Promise<boolean> {
        return (await Promise.all(tvms.map(statusOf))).every((found) => found === status);
      }
      await expect.poll(() => all(403), { timeout: 3_000, interval: 50 }).toBe(true);
      await expect
        .poll(async () => (await lift(second, revoked)).status, { timeout: 3_000 })
        .toBe(200);
      await expect.poll(() => all(200), { timeout: 3_000, interval: 50 }).toBe(true);
    }
    for (const tvm of tvms) await tvm.close();
  });

  it('lose no revocation when all of them revoke at the same time', async () => {
    const tvms = await Promise.all([1, 2, 3, 4, 5].map(() => startTvm(desk.url)));
    const names = Array.from({ length: 40 }, (_, n) => `victim-${n}`);
    const made = await Promise.all(
      names.map((name, n) => revoke(tvms[n % tvms.length] as RunningTvm, name)),
    );
    expect(made.map(({ status }) => status)).toEqual(names.map(() => 201));
    expect(new Set(made.map(({ json }) => json['id'])).size).toBe(names.length);
    async function listed(tvm: RunningTvm): Promise<number> {
      const { json } = await call(tvm, { path: '/revocations', as: 'olivia' });
      return (json['revocations'] as readonly { value: string }[]).filter(({ value }) =>
        names.includes(value),
      ).length;
    }
    for (const tvm of tvms)
      await expect.poll(() => listed(tvm), { timeout: 5_000 }).toBe(names.length);
    for (const tvm of tvms) await tvm.close();
  });
});

describe('the TVM while DynamoDB fails', () => {
  let proxy: FaultProxy;

  beforeAll(async () => {
    proxy = await startFaultProxy(desk.url);
  });

  afterAll(async () => {
    await proxy.close();
  });

  it.each(['down', 'hang', 'empty', 'garbled', 'error', 'throttled'] as const)(
    'answers 503 while DynamoDB is %s, and serves again afterwards',
    async (fault) => {
      const tvm = await startTvm(proxy.url);
      expect(await statusOf(tvm)).toBe(200);
      proxy.set('dynamodb', fault);
      await expect
        .poll(async () => (await call(tvm, { path: '/whoami' })).status, {
          timeout: 15_000,
          interval: 500,
        })
        .toBe(503);
      proxy.set('dynamodb', 'ok');
      await expect.poll(() => statusOf(tvm), { timeout: 10_000, interval: 200 }).toBe(200);
      await tvm.close();
    },
  );

  it('refuses known revocations and replays in SENTINEL_OUTAGE_GRACE, and serves others', async () => {
    let offset = 0;
    const tvm = await startTvm(proxy.url, {
      environment: { SENTINEL_OUTAGE_GRACE: '5m' },
      clock: () => Date.now() + offset,
    });
    const revoked = await revoke(tvm, 'bob');
    const headers = { 'x-sentinel-nonce': randomUUID() };
    const signed = sign({ host: tvm.host, query: 'profile=dev', headers });
    function shot() {
      return sendRaw(tvm.port, { target: '/?profile=dev', headers: signed.headers });
    }
    expect((await shot()).status).toBe(200);
    proxy.set('dynamodb', 'down');
    await expect.poll(() => statusOf(tvm), { timeout: 10_000, interval: 300 }).toBe(200);
    const ready = await sendRaw(tvm.port, { target: '/readyz', headers: { host: 'x' } });
    expect([ready.status, ready.json['status'], ready.json['revocations']]).toMatchObject([
      200,
      'degraded',
      { grace: true },
    ]);
    expect(tvm.audit.at(-1)).toMatchObject({ outcome: 'vended', revocations: 'grace' });
    expect((await call(tvm, { path: '/whoami', as: 'bob' })).json['error']).toBe('SessionRevoked');
    expect((await shot()).json['error']).toBe('RequestReplayed');
    offset = 4 * 60_000 + 30_000;
    const late = {
      amzDate: new Date(Date.now() + offset).toISOString().replace(/[-:]|\.\d{3}/gu, ''),
    };
    function later() {
      const again = sign({
        host: tvm.host,
        query: 'profile=dev',
        headers: { 'x-sentinel-nonce': randomUUID() },
        ...late,
      });
      return sendRaw(tvm.port, { target: '/?profile=dev', headers: again.headers });
    }
    expect((await later()).status).toBe(200);
    offset = 5 * 60_000 + 10_000;
    expect((await later()).status).toBe(503);
    offset = 0;
    proxy.set('dynamodb', 'ok');
    await expect
      .poll(async () => (await lift(tvm, revoked)).status, { timeout: 10_000, interval: 300 })
      .toBe(200);
    await tvm.close();
  });
});
