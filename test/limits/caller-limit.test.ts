import { describe, expect, it } from 'vitest';
import { refuse } from '../../src/lib/result.ts';
import {
  createGraceCallerLimit,
  createMemoryCallerLimit,
  createSharedCallerLimit,
  type CallerLimit,
} from '../../src/limits/caller-limit.ts';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { call, forward, signedCall, startFake } from '../http/support.ts';
import { callWith, clientOf, register, tableOf, useDesk } from '../revocations/support.ts';
import { startFaultProxy, type Fault } from '../support/fault-proxy.ts';
import { forwarded, SERVER_ID } from '../support/forwarded.ts';
import { keyOf, postKeys, sendAs } from '../support/keys.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startTvm, type RunningTvm } from '../support/tvm.ts';

/**
 * How much one caller may ask in a window, by whichever key or session, and what strangers cost
 * their address.
 */
const NOW = Date.parse('2026-01-05T12:00:00Z');
const UNAVAILABLE = { ok: false, refusal: { kind: 'unavailable' } };

const world = useDesk({}, async (desk) => {
  await register(desk, 'TVMDEMOALICETWO', 'alice');
});

let count = 0;
function newPrincipal(): string {
  return `arn:aws:iam::000000000000:role/r-${(count += 1)}`;
}

function sharedLimit(
  requests: number,
  window: number,
  clock = () => NOW,
  faults: unknown[] = [],
): CallerLimit {
  return createSharedCallerLimit(
    { requests, window },
    { client: world.client, table: 'sentinel-guard', clock },
    (error) => void faults.push(error),
  );
}

async function take(limit: CallerLimit, principal: string): Promise<unknown> {
  const taken = await limit.take(principal);
  return taken.ok ? taken.value.left : taken.refusal.kind;
}

describe.each([
  ['in memory', () => createMemoryCallerLimit({ requests: 3, window: 10_000 })],
  ['shared', () => sharedLimit(3, 10_000)],
] as const)('the limit of a caller, %s', (_, create) => {
  it('counts down by principal, then refuses with the seconds until the window ends', async () => {
    const limit = create();
    const [one, other] = [newPrincipal(), newPrincipal()];
    expect([await take(limit, one), await take(limit, one), await take(limit, one)]).toEqual([
      2, 1, 0,
    ]);
    const refused = await limit.take(one);
    expect(refused).toMatchObject({
      ok: false,
      refusal: { kind: 'exhausted', allowance: { left: 0 } },
    });
    const seconds =
      refused.ok || refused.refusal.kind !== 'exhausted'
        ? 0
        : refused.refusal.allowance.resetSeconds;
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(10);
    expect(await take(limit, other)).toBe(2);
  });

  it('lets exactly the quota of a burst through', async () => {
    const limit = create();
    const principal = newPrincipal();
    const taken = await Promise.all(Array.from({ length: 20 }, () => limit.take(principal)));
    expect(taken.filter(({ ok }) => ok)).toHaveLength(3);
  });
});

describe.each([
  ['in memory', () => createMemoryCallerLimit({ requests: 2, window: 10_000 })],
  ['shared', () => sharedLimit(2, 10_000)],
] as const)('peek and giveBack of the limit of a caller, %s', (_, create) => {
  it('count nothing when a caller only looks whether anything is left', async () => {
    const limit = create();
    const caller = newPrincipal();
    for (let time = 0; time < 5; time += 1) expect((await limit.peek(caller)).ok).toBe(true);
    expect([
      await take(limit, caller),
      await take(limit, caller),
      await take(limit, caller),
    ]).toEqual([1, 0, 'exhausted']);
    expect(await limit.peek(caller)).toMatchObject({
      refusal: { kind: 'exhausted', allowance: { left: 0 } },
    });
    expect((await limit.peek(newPrincipal())).ok).toBe(true);
  });

  it('give back what a copy took, and never more than was taken', async () => {
    const limit = create();
    const caller = newPrincipal();
    await limit.giveBack(caller);
    expect([await take(limit, caller), await take(limit, caller)]).toEqual([1, 0]);
    await limit.giveBack(caller);
    expect((await limit.peek(caller)).ok).toBe(true);
    expect([await take(limit, caller), await take(limit, caller)]).toEqual([0, 'exhausted']);
  });
});

describe('createMemoryCallerLimit', () => {
  it('gives the whole quota again when the window has passed', async () => {
    const limit = createMemoryCallerLimit({ requests: 1, window: 1_000 });
    const principal = newPrincipal();
    expect([await take(limit, principal), await take(limit, principal)]).toEqual([0, 'exhausted']);
    await new Promise((resolve) => {
      setTimeout(resolve, 1_050);
    });
    expect(await take(limit, principal)).toBe(0);
  });
});

describe('createSharedCallerLimit', () => {
  it('counts for all instances together, and starts over with each window', async () => {
    let now = NOW;
    const [one, other] = [sharedLimit(2, 10_000, () => now), sharedLimit(2, 10_000, () => now)];
    const principal = newPrincipal();
    expect([
      await take(one, principal),
      await take(other, principal),
      await take(one, principal),
    ]).toEqual([1, 0, 'exhausted']);
    now += 9_999;
    expect(await other.take(principal)).toMatchObject({
      refusal: { allowance: { left: 0, resetSeconds: 1 } },
    });
    now += 1;
    expect(await one.take(principal)).toEqual({ ok: true, value: { left: 1, resetSeconds: 10 } });
  });

  it('does not ask the table about a caller that has nothing left in this window', async () => {
    let now = NOW;
    const wire = world.kept(
      await startFake((body, incoming) => forward(world.desk.port, body, incoming)),
    );
    const client = clientOf(wire.url);
    const place = { client, table: 'sentinel-guard', clock: () => now };
    const limit = createSharedCallerLimit({ requests: 1, window: 10_000 }, place, () => undefined);
    const caller = newPrincipal();
    expect([await take(limit, caller), await take(limit, caller)]).toEqual([0, 'exhausted']);
    const asked = wire.calls.length;
    for (let time = 0; time < 20; time += 1) expect(await take(limit, caller)).toBe('exhausted');
    expect(wire.calls).toHaveLength(asked);
    now += 10_000;
    expect(await take(limit, caller)).toBe(0);
    client.destroy();
  });

  it.each([5, 1])(
    'counts a request once whose answer was lost, with a quota of %i',
    async (requests) => {
      let calls = 0;
      const wire = world.kept(
        await startFake(async (body, incoming) => {
          calls += 1;
          const answer = await forward(world.desk.port, body, incoming);
          return calls === 1 ? 'close' : answer;
        }),
      );
      const client = clientOf(wire.url);
      const place = { client, table: 'sentinel-guard', clock: () => NOW };
      const faults: unknown[] = [];
      const quota = { requests, window: 10_000 };
      const caller = newPrincipal();
      const limit = createSharedCallerLimit(quota, place, (error) => void faults.push(error));
      expect([await take(limit, caller), calls, faults]).toEqual([requests - 1, 3, []]);
      expect(await take(sharedLimit(requests, 10_000), caller)).toBe(
        requests === 1 ? 'exhausted' : requests - 2,
      );
      client.destroy();
    },
  );

  it('gives nothing back when the table cannot be reached, and reports it', async () => {
    const wire = world.kept(await startFake(() => 'close'));
    const client = clientOf(wire.url);
    const faults: unknown[] = [];
    const place = { client, table: 'sentinel-guard', clock: () => NOW };
    const limit = createSharedCallerLimit(
      { requests: 5, window: 10_000 },
      place,
      (error) => void faults.push(error),
    );
    await expect(limit.giveBack(newPrincipal())).resolves.toBeUndefined();
    expect(faults).toHaveLength(1);
    client.destroy();
  });

  it('writes an item that expires after the window and does not name the caller', async () => {
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
    'refuses a request that it cannot count: %s',
    async (fault) => {
      const proxy = world.kept(await startFaultProxy(world.desk.url));
      proxy.set('dynamodb', fault);
      const client = clientOf(proxy.url);
      const faults: unknown[] = [];
      const place = { client, table: 'sentinel-guard', clock: () => NOW };
      const limit = createSharedCallerLimit(
        { requests: 5, window: 10_000 },
        place,
        (error) => void faults.push(error),
      );
      expect(await limit.take(newPrincipal())).toEqual(UNAVAILABLE);
      expect(faults).toHaveLength(1);
      client.destroy();
    },
  );
});

describe('createGraceCallerLimit', () => {
  it('counts in memory during the grace, from its first request on, and otherwise in the table', async () => {
    const state = { works: true, inGrace: false };
    const table = createMemoryCallerLimit({ requests: 3, window: 10_000 });
    const shared: CallerLimit = {
      ...table,
      take: (caller) =>
        state.works
          ? table.take(caller)
          : Promise.resolve(refuse({ kind: 'unavailable' as const })),
    };
    const limit = createGraceCallerLimit(shared, () => state.inGrace);
    const caller = newPrincipal();
    expect(await take(limit, caller)).toBe(2);
    state.works = false;
    expect(await take(limit, caller)).toBe('unavailable');
    state.inGrace = true;
    expect([await take(limit, caller), await take(limit, caller)]).toEqual([2, 1]);
    await limit.giveBack(caller);
    expect([
      await take(limit, caller),
      await take(limit, caller),
      await take(limit, caller),
    ]).toEqual([1, 0, 'exhausted']);
    expect((await limit.peek(caller)).ok).toBe(false);
    Object.assign(state, { works: true, inGrace: false });
    expect(await take(limit, caller)).toBe(1);
  });

  it('decides by memory when the outage begins while the table is asked', async () => {
    const state = { inGrace: false };
    const shared: CallerLimit = {
      ...createMemoryCallerLimit({ requests: 2, window: 10_000 }),
      take: () => {
        state.inGrace = true;
        return Promise.resolve(refuse({ kind: 'unavailable' as const }));
      },
    };
    const limit = createGraceCallerLimit(shared, () => state.inGrace);
    expect(await take(limit, newPrincipal())).toBe(1);
  });
});

async function start(environment: Record<string, string>): Promise<RunningTvm> {
  return world.kept(
    await startTvm(world.desk.url, {
      environment: { SENTINEL_SERVER_ID: SERVER_ID, ...environment },
    }),
  );
}

const whoami = { path: '/whoami' } as const;

describe('429 RateLimited', () => {
  it('says in every answer what is left, and when the window ends', async () => {
    const tvm = await start({
      SENTINEL_RATE_LIMIT_REQUESTS: '2',
      SENTINEL_RATE_LIMIT_WINDOW: '2s',
    });
    const first = await call(tvm, whoami);
    expect(first.headers).toMatchObject({ 'ratelimit-policy': '"caller";q=2;w=2' });
    expect(first.headers['ratelimit']).toMatch(/^"caller";r=1;t=[12]$/u);
    expect((await call(tvm, { query: 'profile=vault' })).headers['ratelimit']).toMatch(
      /^"caller";r=0;t=[12]$/u,
    );
    const refused = await call(tvm, { query: 'profile=dev' });
    expect([refused.status, refused.json['error']], refused.body).toEqual([429, 'RateLimited']);
    expect(refused.headers['retry-after']).toMatch(/^[12]$/u);
    expect(refused.headers['ratelimit']).toBe(`"caller";r=0;t=${refused.headers['retry-after']}`);
    expect(refused.json['retry_after']).toBe(Number(refused.headers['retry-after']));
    await tvm.flush();
    expect(tvm.audit.at(-1)).toMatchObject({
      event: 'identity_refused',
      error: 'RateLimited',
      count: 1,
    });
    expect((await call(tvm, { ...whoami, as: 'bob' })).status).toBe(200);
    await new Promise((resolve) => {
      setTimeout(resolve, 2_050);
    });
    expect((await call(tvm, whoami)).status).toBe(200);
  });

  it('counts sessions, labels and minted keys of a principal together, and a second key apart', async () => {
    const tvm = await start({
      SENTINEL_RATE_LIMIT_REQUESTS: '4',
      SENTINEL_RATE_LIMIT_WINDOW: '60s',
    });
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

  it('counts callers of forwarded STS by their principal', async () => {
    const tvm = await start({
      SENTINEL_RATE_LIMIT_REQUESTS: '2',
      SENTINEL_RATE_LIMIT_WINDOW: '60s',
    });
    const statuses = [];
    for (let time = 0; time < 3; time += 1)
      statuses.push((await sendRaw(tvm.port, forwarded(tvm))).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect((await call(tvm, whoami)).status).toBe(200);
  });

  it('is shared by two instances only with SENTINEL_RATE_LIMIT_STORE=shared', async () => {
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
      expect([(await call(one, whoami)).status, (await call(one, whoami)).status]).toEqual([
        200, 200,
      ]);
      expect((await call(other, whoami)).status, store).toBe(last);
    }
  });

  it('becomes 503 for everybody when requests cannot be counted', async () => {
    const proxy = world.kept(await startFaultProxy(world.desk.url));
    const tvm = await start({
      SENTINEL_RATE_LIMIT_STORE: 'shared',
      AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
    });
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

describe('SENTINEL_OUTAGE_GRACE', () => {
  it('lets each instance count for itself in place of the shared limit', async () => {
    const proxy = world.kept(await startFaultProxy(world.desk.url));
    const tvm = await start({
      SENTINEL_RATE_LIMIT_STORE: 'shared',
      SENTINEL_RATE_LIMIT_REQUESTS: '4',
      SENTINEL_RATE_LIMIT_WINDOW: '1h',
      SENTINEL_OUTAGE_GRACE: '10m',
      AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
    });
    proxy.set('dynamodb', 'down');
    async function ready() {
      return (await call(tvm, { path: '/readyz' })).json['revocations'];
    }
    await expect.poll(ready, { timeout: 10_000 }).toMatchObject({ grace: true });
    // A request signed in the second of the start would count as older than the process.
    await new Promise((resolve) => {
      setTimeout(resolve, 1_050);
    });
    const statuses = [];
    for (let time = 0; time < 5; time += 1)
      statuses.push((await call(tvm, { query: 'profile=dev' })).status);
    expect(statuses).toEqual([200, 200, 200, 200, 429]);
    expect(tvm.audit.findLast(({ event }) => event === 'vend')).toMatchObject({
      outcome: 'vended',
      revocations: 'grace',
    });
    proxy.set('dynamodb', 'ok');
    await expect.poll(ready, { timeout: 10_000 }).not.toHaveProperty('grace');
    expect((await call(tvm, { ...whoami, as: 'bob' })).headers['ratelimit']).toMatch(
      /^"caller";r=3;/u,
    );
  });
});

describe('strangers', () => {
  const environment = {
    SENTINEL_RATE_LIMIT_REQUESTS: '2',
    SENTINEL_RATE_LIMIT_WINDOW: '2s',
    SENTINEL_TRUSTED_HOPS: '1',
  };
  function from(address: string) {
    return { headers: { 'x-forwarded-for': address }, path: '/whoami' };
  }
  async function forged(tvm: RunningTvm, address: string): Promise<number> {
    // It is signed for one path and sent to another.
    const { status } = await sendRaw(tvm.port, {
      ...signedCall(tvm, from(address)),
      target: '/profiles',
    });
    return status;
  }

  it('may fail ten times a caller’s quota and then wait, while proven callers are served', async () => {
    const tvm = await start(environment);
    for (let time = 0; time < 20; time += 1) expect(await forged(tvm, '198.51.100.7')).toBe(403);
    expect(await forged(tvm, '198.51.100.7')).toBe(429);
    // A caller who proves who they are is served from the same address.
    const honest = await call(tvm, from('198.51.100.7'));
    expect([honest.status, honest.json['name']]).toEqual([200, 'alice']);
    const again = await sendRaw(tvm.port, {
      ...signedCall(tvm, from('198.51.100.7')),
      target: '/profiles',
    });
    expect([again.status, again.json['error']]).toEqual([429, 'RateLimited']);
    expect(again.headers['retry-after']).toMatch(/^[12]$/u);
    expect(await forged(tvm, '198.51.100.8')).toBe(403);
    await new Promise((resolve) => {
      setTimeout(resolve, 2_050);
    });
    expect(await forged(tvm, '198.51.100.7')).toBe(403);
  });

  it('do not lock a signed caller out with 1,001 unsigned requests from the caller’s own address', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '100' });
    const unsigned = { target: '/?profile=dev', headers: [['host', tvm.host]] as const };
    const statuses = new Set<number>();
    for (let time = 0; time < 1_001; time += 1)
      statuses.add((await sendRaw(tvm.port, unsigned)).status);
    expect([...statuses]).toEqual([403, 429]);
    const vended = await call(tvm, { query: 'profile=dev' });
    expect([vended.status, vended.json['Profile']]).toEqual([200, 'dev']);
    expect((await sendAs(tvm, keyOf(await postKeys(tvm)), whoami)).status).toBe(200);
  });

  it('are charged for failures only: proven callers cost their address nothing', async () => {
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
