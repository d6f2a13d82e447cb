import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { call, type Call } from '../http/support.ts';
import { startFaultProxy, type Fault, type FaultProxy } from '../support/fault-proxy.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { callWith, revoke, REVOKED, signedWith, until, vend } from './support.ts';

/** DynamoDB fails in every way, and time passes on a clock that the test moves. */
let desk: Desk;
let proxy: FaultProxy;
let offset = 0;
const running: RunningTvm[] = [];

beforeAll(async () => {
  desk = await startDesk();
  proxy = await startFaultProxy(desk.url);
});

afterAll(async () => {
  await proxy.close();
  await desk.close();
});

async function start(environment: Readonly<Record<string, string>> = {}): Promise<RunningTvm> {
  const through = {
    AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
    SENTINEL_CATALOG_MAX_AGE: '1h',
    ...environment,
  };
  const tvm = await startTvm(desk.url, { environment: through, clock: () => Date.now() + offset });
  running.push(tvm);
  return tvm;
}

/** Makes DynamoDB fail for the length of a test, for an instance that worked before. */
async function during(fault: Fault, tvm: RunningTvm, test: () => Promise<void>): Promise<void> {
  proxy.set('dynamodb', fault);
  try {
    await test();
  } finally {
    proxy.set('dynamodb', 'ok');
    offset = 0;
    await tvm.close();
  }
}

async function isFailing(tvm: RunningTvm): Promise<boolean> {
  return (await call(tvm, { path: '/readyz' })).json['status'] !== 'ready';
}

const UNAVAILABLE = '503 ServiceUnavailable';
const REPLAYED = '403 RequestReplayed';
const PATHS: readonly Call[] = [
  { path: '/whoami' },
  { path: '/profiles' },
  { path: '/sessions' },
  { path: '/revocations', as: 'olivia' },
  { query: 'profile=dev' },
];
const FAULTS: readonly Fault[] = [
  'down',
  'hang',
  'garbled',
  'empty',
  'error',
  'throttled',
  'truncated',
];

describe.each(FAULTS)('DynamoDB: %s', (fault) => {
  it('stops every way of proving who one is after the bound, and serves again without a restart', async () => {
    const tvm = await start();
    expect(await vend(tvm)).toBe(200);
    await during(fault, tvm, async () => {
      offset = 3_500;
      const answers = await Promise.all(PATHS.map((what) => call(tvm, what)));
      for (const answer of answers) {
        expect([answer.status, answer.json['error']], answer.body).toEqual([
          503,
          'ServiceUnavailable',
        ]);
        expect(answer.headers['retry-after']).toBe('5');
      }
      const ready = await call(tvm, { path: '/readyz' });
      expect([ready.status, ready.json['status']]).toEqual([503, 'unready']);
      expect((await call(tvm, { path: '/healthz' })).status).toBe(200);
      expect(tvm.audit.filter(({ outcome }) => outcome === 'vended')).toHaveLength(1);
      proxy.set('dynamodb', 'ok');
      expect(await vend(tvm)).toBe(200);
      expect((await call(tvm, { path: '/readyz' })).json).toMatchObject({
        status: 'ready',
        revocations: { age_seconds: 0 },
      });
    });
  });
});

describe('DynamoDB: slow', () => {
  it('makes vends slow, and refuses none', async () => {
    const tvm = await start();
    await during('slow', tvm, async () => {
      offset = 3_500;
      expect((await call(tvm, { path: '/whoami' })).status).toBe(200);
    });
  });

  it('DynamoDB that fails at the start: serves nobody before the revocations are known, and everybody then', async () => {
    proxy.set('dynamodb', 'down');
    const tvm = await start({ SENTINEL_OUTAGE_GRACE: '15m' });
    expect(await vend(tvm)).toBe(UNAVAILABLE);
    expect((await call(tvm, { path: '/readyz' })).json).toMatchObject({
      status: 'unready',
      revocations: { age_seconds: null },
    });
    proxy.set('dynamodb', 'ok');
    await until(async () => (await vend(tvm)) === 200, 5_000);
    await tvm.close();
  });

  it('refuses to revoke or lift when it cannot be written, and records that in the audit log', async () => {
    const tvm = await start();
    await during('down', tvm, async () => {
      const body = '{"kind":"user","value":"mallory","reason":"laptop stolen"}';
      const headers = { 'content-type': 'application/json' };
      const answer = await call(tvm, {
        method: 'POST',
        path: '/revocations',
        as: 'olivia',
        body,
        headers,
      });
      expect(answer.status, answer.body).toBe(503);
      expect(tvm.audit.at(-1)).toMatchObject({
        event: 'revocation',
        error: 'unavailable',
        value: 'mallory',
      });
    });
  });
});

describe('SENTINEL_OUTAGE_GRACE', () => {
  const environment = { SENTINEL_OUTAGE_GRACE: '10m', SENTINEL_CLOCK_SKEW: '15m' };

  async function vendNow(tvm: RunningTvm) {
    const at = Date.now() + offset;
    return (await callWith(tvm, DEMO_CLIENTS.alice, { query: 'profile=dev', at })).status;
  }

  it('keeps vending with what is known, and reports it, until the grace is over', async () => {
    const tvm = await start(environment);
    expect(await vendNow(tvm)).toBe(200);
    expect(tvm.audit.at(-1)).not.toHaveProperty('revocations');
    await during('down', tvm, async () => {
      offset = 9 * 60_000;
      expect(await vendNow(tvm)).toBe(200);
      expect(tvm.audit.at(-1)).toMatchObject({ outcome: 'vended', revocations: 'grace' });
      const ready = await call(tvm, { path: '/readyz' });
      expect([ready.status, ready.json]).toMatchObject([
        200,
        { status: 'degraded', revocations: { grace: true } },
      ]);
      offset = 10 * 60_000 + 4_000;
      expect(await vendNow(tvm)).toBe(503);
      expect((await call(tvm, { path: '/readyz' })).json).toMatchObject({
        status: 'unready',
        revocations: { age_seconds: expect.any(Number) },
      });
      proxy.set('dynamodb', 'ok');
      expect(await vendNow(tvm)).toBe(200);
      expect(tvm.audit.at(-1)).not.toHaveProperty('revocations');
    });
  });

  it('still refuses callers who were revoked before', async () => {
    const tvm = await start(environment);
    const id = await revoke(tvm, 'user', 'alice');
    await during('down', tvm, async () => {
      offset = 60_000;
      expect(await vend(tvm)).toBe(REVOKED);
      expect((await call(tvm, { path: '/whoami', as: 'bob' })).status).toBe(200);
      proxy.set('dynamodb', 'ok');
      const lifted = await call(tvm, {
        method: 'DELETE',
        path: `/revocations/${id}`,
        as: 'olivia',
      });
      expect(lifted.status).toBe(200);
    });
  });

  it('lets no request through twice, neither from before the outage nor in it, and none older than the process', async () => {
    const tvm = await start(environment);
    const started = Date.now();
    async function send(request: ReturnType<typeof signedWith>) {
      const { status, json } = await sendRaw(tvm.port, request);
      return status === 200 ? 200 : `${status} ${String(json['error'])}`;
    }
    function signed(at: number) {
      return signedWith(tvm, DEMO_CLIENTS.alice, { query: 'profile=dev', at });
    }
    const [before, unused] = [signed(Date.now()), signed(Date.now() + 2_000)];
    expect(await send(before)).toBe(200);
    await during('down', tvm, async () => {
      await until(() => isFailing(tvm), 5_000);
      expect(await send(before), 'seen before the outage').toBe(REPLAYED);
      expect(await send(signed(started - 5_000)), 'dated before the process started').toBe(
        REPLAYED,
      );
      expect(await send(unused)).toBe(200);
      expect(await send(unused), 'seen in the outage').toBe(REPLAYED);
    });
  });
});
