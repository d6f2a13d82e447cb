import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { forward, startFake } from '../http/support.ts';
import { startTvm, type RunningTvm } from '../support/tvm.ts';
import { call } from '../http/support.ts';
import { lift, openSession, revoke, REVOKED, until, useDesk, vend } from './support.ts';

/** Several instances on the same tables. */
const BOUND = 3_000;

const world = useDesk();

function startSome(count: number): Promise<readonly RunningTvm[]> {
  return Promise.all(
    Array.from({ length: count }, async () => world.kept(await startTvm(world.desk.url))),
  );
}

async function everywhere(instances: readonly RunningTvm[], is: string | number): Promise<boolean> {
  return (await Promise.all(instances.map((tvm) => vend(tvm)))).every((status) => status === is);
}

describe.each([2, 5])('%i instances', (count) => {
  it('refuse within the bound what was revoked on one, and serve again when it is lifted on another', async () => {
    const instances = await startSome(count);
    const [first, last] = [instances[0], instances.at(-1)];
    if (first === undefined || last === undefined) throw new Error('no instance');
    expect(await everywhere(instances, 200)).toBe(true);
    const id = await revoke(first, 'user', 'alice');
    expect(await vend(first), 'at once where it was made').toBe(REVOKED);
    expect(await until(() => everywhere(instances, REVOKED), BOUND)).toBeLessThanOrEqual(BOUND);
    expect((await lift(last, id)).status).toBe(200);
    expect(await until(() => everywhere(instances, 200), BOUND)).toBeLessThanOrEqual(BOUND);
  });
});

describe('two instances', () => {
  it('lose no revocation and share no number when they revoke at the same time', async () => {
    const [one, other] = (await startSome(2)) as [RunningTvm, RunningTvm];
    const names = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    const ids = await Promise.all(
      names.map((name, index) => revoke(index % 2 === 0 ? one : other, 'user', name)),
    );
    const numbers = ids.map(Number).toSorted((a, b) => a - b);
    const [least = 0] = numbers;
    expect(numbers).toEqual(names.map((_, index) => least + index));
    async function inForce(tvm: RunningTvm): Promise<unknown> {
      const { revocations } = (await call(tvm, { path: '/revocations', as: 'olivia' })).json;
      return (revocations as { value: string }[]).map(({ value }) => value).toSorted();
    }
    const all = JSON.stringify(names.toSorted());
    for (const tvm of [one, other, world.tvm]) {
      await until(async () => JSON.stringify(await inForce(tvm)) === all, BOUND);
    }
  });

  it('do not continue, nor show as active, a session that was revoked on the other', async () => {
    const [one, other] = (await startSome(2)) as [RunningTvm, RunningTvm];
    const id = await openSession(one);
    expect(await openSession(other)).toBe(id);
    await revoke(one, 'session', id);
    await until(async () => (await vend(other)) === REVOKED, BOUND);
    const shown = await call(other, { path: `/sessions/${id}` });
    expect(shown.json).toMatchObject({ active: false, status: 'revoked' });
  });
});

describe('the cost of the feed', () => {
  it('is about two small reads a second for each instance, the head and the next number, idle or under load', async () => {
    const counts = { queries: 0, scans: 0 };
    const proxy = world.kept(
      await startFake((body, incoming) => {
        const target = String(incoming.headers['x-amz-target']);
        if (body.includes('sentinel-revocations') && target.endsWith('Query')) counts.queries += 1;
        if (target.endsWith('Scan')) counts.scans += 1;
        return forward(world.desk.port, body, incoming);
      }),
    );
    const environment = { AWS_ENDPOINT_URL_DYNAMODB: proxy.url };
    const tvm = world.kept(await startTvm(world.desk.url, { environment }));
    expect(counts.scans, 'all is read once, at the start').toBe(1);
    async function during(work: () => Promise<unknown>): Promise<number> {
      const [begun, before] = [performance.now(), counts.queries];
      while (performance.now() - begun < 3_000) await work();
      return (counts.queries - before) / ((performance.now() - begun) / 1_000);
    }
    const idle = await during(() => sleep(100));
    let requests = 0;
    const loaded = await during(async () => {
      requests += 20;
      await Promise.all(Array.from({ length: 20 }, () => call(tvm, { path: '/whoami' })));
    });
    expect(requests).toBeGreaterThan(100);
    for (const rate of [idle, loaded]) {
      expect(rate).toBeGreaterThan(1);
      expect(rate).toBeLessThan(3.2);
    }
    expect(counts.scans).toBe(1);
  });
});
