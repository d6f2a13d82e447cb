import { describe, expect, it } from 'vitest';
import { createMemoryCallerLimit, createSharedCallerLimit, type CallerLimit } from '../../src/limits/caller-limit.ts';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { call, forward, signedCall, startFake } from '../http/support.ts';
import { callWith, clientOf, register, tableOf, useDesk } from '../revocations/support.ts';
import { startFaultProxy, type Fault } from '../support/fault-proxy.ts';
import { forwarded, SERVER_ID } from '../support/forwarded.ts';
import { keyOf, postKeys, sendAs } from '../support/keys.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startTvm, type RunningTvm } from '../support/tvm.ts';

/** What one caller may ask in a window, whatever it comes by, and what strangers cost their address. */
const NOW = Date.parse('2026-01-05T12:00:00Z');
const UNAVAILABLE = { ok: false, refusal: { kind: 'unavailable' } };

const world = useDesk({}, async (desk) => {
  await register(desk, 'TVMDEMOALICETWO', 'alice');
});

let count = 0;
const newPrincipal = (): string => `arn:aws:iam::000000000000:role/r-${(count += 1)}`;

const sharedLimit = (requests: number, window: number, clock = () => NOW, faults: unknown[] = []): CallerLimit =>
  createSharedCallerLimit(
    { requests, window },
    { client: world.client, table: 'sentinel-guard', clock },
    (error) => void faults.push(error),
  );

const take = async (limit: CallerLimit, principal: string): Promise<unknown> => {
  const taken = await limit.take(principal);
  return taken.ok ? taken.value.left : taken.refusal.kind;
};

describe.each([
  ['in memory', () => createMemoryCallerLimit({ requests: 3, window: 10_000 })],
  ['shared', () => sharedLimit(3, 10_000)],
] as const)('the limit of a caller, %s', (_, create) => {
  it('counts down by principal, then refuses with the seconds until there is more', async () => {
    const limit = create();
    const [one, other] = [newPrincipal(), newPrincipal()];
    expect([await take(limit, one), await take(limit, one), await take(limit, one)]).toEqual([2, 1, 0]);
    const refused = await limit.take(one);
    expect(refused).toMatchObject({ ok: false, refusal: { kind: 'exhausted', allowance: { left: 0 } } });
    const seconds = refused.ok || refused.refusal.kind !== 'exhausted' ? 0 : refused.refusal.allowance.resetSeconds;
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(10);
    expect(await take(limit, other)).toBe(2);
  });

  it('lets exactly so many of a burst through', async () => {
    const limit = create();
    const principal = newPrincipal();
    const taken = await Promise.all(Array.from({ length: 20 }, () => limit.take(principal)));
    expect(taken.filter(({ ok }) => ok)).toHaveLength(3);
  });
});

describe('the limit in memory', () => {
  it('is whole again when the window has passed', async () => {
    const limit = createMemoryCallerLimit({ requests: 1, window: 1_000 });
    const principal = newPrincipal();
    expect([await take(limit, principal), await take(limit, principal)]).toEqual([0, 'exhausted']);
    await new Promise((resolve) => {
      setTimeout(resolve, 1_050);
    });
    expect(await take(limit, principal)).toBe(0);
  });
});

describe('the shared limit', () => {
  it('is one for all instances, and begins anew with each window', async () => {
    let now = NOW;
    const [one, other] = [sharedLimit(2, 10_000, () => now), sharedLimit(2, 10_000, () => now)];
    const principal = newPrincipal();
    expect([await take(one, principal), await take(other, principal), await take(one, principal)]).toEqual([
      1,
      0,
      'exhausted',
    ]);
    now += 9_999;
    expect(await other.take(principal)).toMatchObject({ refusal: { allowance: { left: 0, resetSeconds: 1 } } });
    now += 1;
    expect(await one.take(principal)).toEqual({ ok: true, value: { left: 1, resetSeconds: 10 } });
  });

  it('leaves an item that DynamoDB forgets after the window, and that names nobody', async () => {
    const written: string[] = [];
    const wire = world.kept(
      await startFake((body, incoming) => {
        written.push(body);
        return forward(world.desk.port, body, incoming);
      }),
    );
    const client = clientOf(wire.url);
    const quota = { requests: 5, window: 10_000 };
    const limit = createSharedCallerLimit(
      quota,
      { client, table: 'sentinel-guard', clock: () => NOW },
      () => undefined,
    );
    await limit.take('arn:aws:iam::000000000000:role/secret-project');
    expect(written).toHaveLength(1);
    expect(written[0]).not.toContain('secret-project');
    const { Key } = JSON.parse(written[0] ?? '') as { Key: { id: { S: string } } };
    const item = await tableOf(world.client, 'guard').get(Key.id.S);
    const ttl = Number(item?.['ttl']?.N) * 1_000;
    expect(ttl).toBeGreaterThan(NOW + 10_000);
    expect(ttl).toBeLessThan(NOW + 10 * 60_000);
    client.destroy();
  });

  it.each<Fault>(['down', 'hang', 'garbled', 'empty', 'error', 'throttled', 'truncated'])(
    'refuses what it cannot count: %s',
    async (fault) => {
      const proxy = world.kept(await startFaultProxy(world.desk.url));
      proxy.set('dynamodb', fault);
      const client = clientOf(proxy.url);
      const faults: unknown[] = [];
      const place = { client, table: 'sentinel-guard', clock: () => NOW };
      const limit = createSharedCallerLimit({ requests: 5, window: 10_000 }, place, (error) => void faults.push(error));
      expect(await limit.take(newPrincipal())).toEqual(UNAVAILABLE);
      expect(faults).toHaveLength(1);
      client.destroy();
    },
  );
});

const start = async (environment: Record<string, string>): Promise<RunningTvm> =>
  world.kept(await startTvm(world.desk.url, { environment: { SENTINEL_SERVER_ID: SERVER_ID, ...environment } }));

const whoami = { path: '/whoami' } as const;

describe('429 RateLimited', () => {
  it('says in every answer what is left, and when it is over', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '2', SENTINEL_RATE_LIMIT_WINDOW: '2s' });
    const first = await call(tvm, whoami);
    expect(first.headers).toMatchObject({ 'ratelimit-policy': '"caller";q=2;w=2' });
    expect(first.headers['ratelimit']).toMatch(/^"caller";r=1;t=[12]$/u);
    expect((await call(tvm, { query: 'profile=vault' })).headers['ratelimit']).toMatch(/^"caller";r=0;t=[12]$/u);
    const refused = await call(tvm, { query: 'profile=dev' });
    expect([refused.status, refused.json['error']], refused.body).toEqual([429, 'RateLimited']);
    expect(refused.headers['retry-after']).toMatch(/^[12]$/u);
    expect(refused.headers['ratelimit']).toBe(`"caller";r=0;t=${refused.headers['retry-after']}`);
    expect(refused.json['retry_after']).toBe(Number(refused.headers['retry-after']));
    expect(tvm.audit.at(-1)).toMatchObject({ event: 'identity_refused', error: 'RateLimited' });
    expect((await call(tvm, { ...whoami, as: 'bob' })).status).toBe(200);
    await new Promise((resolve) => {
      setTimeout(resolve, 2_050);
    });
    expect((await call(tvm, whoami)).status).toBe(200);
  });

  it('counts the principal: sessions, labels and minted keys are no others, and a second key is', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '4', SENTINEL_RATE_LIMIT_WINDOW: '60s' });
    const key = keyOf(await postKeys(tvm));
    for (const label of ['a', 'b']) {
      expect((await call(tvm, { query: `profile=dev&session_label=${label}` })).status).toBe(200);
    }
    expect((await sendAs(tvm, key, whoami)).status).toBe(200);
    expect((await sendAs(tvm, key, whoami)).status).toBe(429);
    expect((await call(tvm, whoami)).status).toBe(429);
    const two = { accessKeyId: 'TVMDEMOALICETWO', secret: 'secret-of-TVMDEMOALICETWO' };
    expect((await callWith(tvm, two, whoami)).status, 'another key is another principal').toBe(200);
  });

  it('counts callers of forwarded STS by their principal too', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '2', SENTINEL_RATE_LIMIT_WINDOW: '60s' });
    const statuses = [];
    for (let time = 0; time < 3; time += 1) statuses.push((await sendRaw(tvm.port, forwarded(tvm))).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect((await call(tvm, whoami)).status).toBe(200);
  });

  it('is shared by two instances where the operator says so, and else not', async () => {
    for (const [store, last] of [
      ['shared', 429],
      ['memory', 200],
    ] as const) {
      const environment = {
        SENTINEL_RATE_LIMIT_STORE: store,
        SENTINEL_RATE_LIMIT_REQUESTS: '2',
        SENTINEL_RATE_LIMIT_WINDOW: '1h',
      };
      const [one, other] = [await start(environment), await start(environment)];
      expect([(await call(one, whoami)).status, (await call(one, whoami)).status]).toEqual([200, 200]);
      expect((await call(other, whoami)).status, store).toBe(last);
    }
  });

  it('is 503 for everybody where requests cannot be counted', async () => {
    const proxy = world.kept(await startFaultProxy(world.desk.url));
    const tvm = await start({ SENTINEL_RATE_LIMIT_STORE: 'shared', AWS_ENDPOINT_URL_DYNAMODB: proxy.url });
    expect((await call(tvm, { ...whoami, as: 'carol' })).status).toBe(200);
    proxy.set('dynamodb', 'down');
    for (const as of ['bob', 'carol'] as const) {
      const answer = await call(tvm, { query: 'profile=dev', as });
      expect([answer.status, answer.json['error']]).toEqual([503, 'ServiceUnavailable']);
    }
    expect((await call(tvm, { path: '/healthz' })).status).toBe(200);
    proxy.set('dynamodb', 'ok');
    expect((await call(tvm, { ...whoami, as: 'carol' })).status).toBe(200);
  });
});

describe('strangers', () => {
  const environment = {
    SENTINEL_RATE_LIMIT_REQUESTS: '2',
    SENTINEL_RATE_LIMIT_WINDOW: '2s',
    SENTINEL_TRUSTED_HOPS: '1',
  };
  const from = (address: string) => ({ headers: { 'x-forwarded-for': address }, path: '/whoami' });
  const forged = async (tvm: RunningTvm, address: string): Promise<number> => {
    // Signed for one path, sent to another.
    const { status } = await sendRaw(tvm.port, { ...signedCall(tvm, from(address)), target: '/profiles' });
    return status;
  };

  it('may fail ten times a caller’s quota; then all from that address wait, and none from others', async () => {
    const tvm = await start(environment);
    for (let time = 0; time < 20; time += 1) expect(await forged(tvm, '198.51.100.7')).toBe(403);
    expect(await forged(tvm, '198.51.100.7')).toBe(429);
    // An honest caller behind the same address waits with them: nothing is verified for it any more.
    const honest = await call(tvm, from('198.51.100.7'));
    expect([honest.status, honest.json['error']]).toEqual([429, 'RateLimited']);
    expect(honest.headers['retry-after']).toMatch(/^[12]$/u);
    expect((await call(tvm, from('198.51.100.8'))).status).toBe(200);
    await new Promise((resolve) => {
      setTimeout(resolve, 2_050);
    });
    expect((await call(tvm, { ...from('198.51.100.7'), as: 'bob' })).status).toBe(200);
  });

  it('are charged for their failures alone: who proves who they are costs the address nothing', async () => {
    const tvm = await start({ ...environment, SENTINEL_RATE_LIMIT_REQUESTS: '10' });
    const callers = Object.keys(DEMO_CLIENTS) as (keyof typeof DEMO_CLIENTS)[];
    for (let time = 0; time < 10; time += 1) {
      for (const as of callers) await call(tvm, { ...from('198.51.100.9'), as });
    }
    for (let time = 0; time < 99; time += 1) await forged(tvm, '198.51.100.9');
    expect(await forged(tvm, '198.51.100.9')).toBe(403);
    expect(await forged(tvm, '198.51.100.9')).toBe(429);
  });
});
