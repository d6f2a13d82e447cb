import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { forward, get, putProfile, startFake } from '../http/support.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

let desk: Desk;
const running: { close: () => Promise<void> }[] = [];

beforeAll(async () => {
  desk = await startDesk();
});

afterEach(async () => {
  for (const one of running.splice(0).toReversed()) await one.close();
});

afterAll(async () => {
  await desk.close();
});

async function start(options: Parameters<typeof startTvm>[1] = {}): Promise<RunningTvm> {
  const tvm = await startTvm(desk.url, options);
  running.push(tvm);
  return tvm;
}

const ALLOW = { effect: 'allow', conditions: { users: ['alice'] } };

describe('the catalog of a TVM', () => {
  it('reads every page of the documents', async () => {
    for (let index = 0; index < 23; index += 1) await putProfile(desk, `paged/${index}`, ALLOW);
    const tvm = await start();
    expect(tvm.catalog.state()).toMatchObject({ profiles: 26, rejected: 0 });
    expect((await get(tvm, { profile: 'paged/22' })).status).toBe(200);
  });

  it('discards a load when any page of it fails', async () => {
    let fail = 0;
    let page = 0;
    const gate = await startFake((body, incoming) => {
      page += 1;
      return page >= fail && fail > 0
        ? { status: 400, body: '{"__type":"ThrottledPage"}' }
        : forward(desk.port, body, incoming);
    });
    running.push(gate);
    const environment = { AWS_ENDPOINT_URL_SSM: gate.url };
    const whole = await start({ environment });
    const pages = page;
    expect(pages).toBeGreaterThan(3);
    expect(whole.catalog.state().usable).toBe(true);
    for (fail = 1; fail <= pages; fail += 1) {
      page = 0;
      const tvm = await start({ environment });
      expect([fail, tvm.catalog.state()]).toEqual([
        fail,
        {
          tried: true,
          ageSeconds: undefined,
          profiles: 0,
          rejected: 0,
          findings: 0,
          failing: true,
          usable: false,
          stuck: false,
        },
      ]);
    }
  });

  it('denies a profile as soon as its document breaks, and no other profile', async () => {
    let offset = 0;
    const tvm = await start({ monotonic: () => performance.now() + offset });
    await putProfile(desk, 'fragile', ALLOW);
    offset = 40_000;
    expect((await get(tvm, { profile: 'fragile' })).status).toBe(200);
    await desk.put('/sentinel/policies/fragile', 'version: "1"\nrules:\n  - nmae: x\n');
    offset = 80_000;
    expect((await get(tvm, { profile: 'fragile' })).status).toBe(403);
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
    expect(tvm.catalog.state().rejected).toBe(1);
    const lines = tvm
      .log()
      .split('\n')
      .filter((line) => line.includes('/sentinel/policies/fragile'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/line 3.*nmae/u);
    offset = 120_000;
    await get(tvm, { profile: 'dev' });
    expect(
      tvm
        .log()
        .split('\n')
        .filter((line) => line.includes('/sentinel/policies/fragile')),
    ).toHaveLength(1);
    await putProfile(desk, 'fragile', ALLOW);
    offset = 160_000;
    expect((await get(tvm, { profile: 'fragile' })).status).toBe(200);
  });

  it('logs misplaced secrets and keys that are not SecureStrings by name, never by value', async () => {
    await desk.put('/sentinel/clients/MISPLACED', '{"secret":"misplaced-value-1","name":"eve"}');
    await desk.put('/sentinel-secrets/clients/PLAIN', '{"secret":"plain-value-2","name":"eve"}');
    await desk.put(
      '/sentinel-secrets/clients/BROKEN',
      '{"secret":"broken-value-3","nme":"eve"}',
      'SecureString',
    );
    const tvm = await start();
    expect(tvm.catalog.state().rejected).toBe(3);
    for (const name of [
      '/sentinel/clients/MISPLACED',
      '/sentinel-secrets/clients/PLAIN',
      '/sentinel-secrets/clients/BROKEN',
    ]) {
      expect(tvm.log()).toContain(name);
    }
    expect(tvm.log()).not.toMatch(/-value-\d/u);
    expect(tvm.log()).not.toContain('demo-alice-not-a-secret');
  });
});
