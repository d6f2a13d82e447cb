import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, get, putProfile } from '../http/support.ts';
import { startDesk, startTvm, type Desk } from '../support/tvm.ts';

describe('findings of a TVM', () => {
  let desk: Desk;

  beforeAll(async () => {
    desk = await startDesk();
    await putProfile(desk, 'doubtful', {
      effect: 'allow',
      conditions: { users: ['nobody-knows', 'alice'] },
    });
  });

  afterAll(async () => {
    await desk.close();
  });

  it('are counted in /readyz, logged once per change, and refuse nobody', async () => {
    let offset = 0;
    const tvm = await startTvm(desk.url, { monotonic: () => performance.now() + offset });
    function lines() {
      return tvm
        .log()
        .split('\n')
        .filter((line) => line.includes('/sentinel/policies/doubtful'));
    }
    async function ready() {
      return (await call(tvm, { path: '/readyz' })).json as { catalog: object };
    }
    try {
      expect(await ready()).toMatchObject({
        status: 'ready',
        catalog: { rejected: 0, findings: 1 },
      });
      expect(lines()).toHaveLength(1);
      expect(lines()[0]).toContain('no registered key');
      offset = 40_000;
      expect((await get(tvm, { profile: 'doubtful' })).status).toBe(200);
      expect(lines()).toHaveLength(1);
      await putProfile(desk, 'doubtful', {
        effect: 'allow',
        conditions: { users: ['nobody-else', 'alice'] },
      });
      offset = 80_000;
      expect((await get(tvm, { profile: 'doubtful' })).status).toBe(200);
      expect(lines()).toHaveLength(2);
      expect(JSON.stringify(await ready())).not.toContain('nobody');
    } finally {
      await tvm.close();
    }
  });

  it('are logged at most fifty at once, and the others counted', async () => {
    const own = await startDesk();
    function ghosts(n: number) {
      return Array.from({ length: 20 }, (_, at) => `ghost-${n}-${at}`);
    }
    for (const n of [1, 2, 3, 4]) {
      await putProfile(own, `p${n}`, { effect: 'allow', conditions: { users: ghosts(n) } });
    }
    const tvm = await startTvm(own.url);
    try {
      expect(tvm.log().match(/applies as written, but probably has a mistake/gu)).toHaveLength(50);
      expect(tvm.log()).toContain('30 more');
      expect((await call(tvm, { path: '/readyz' })).json).toMatchObject({
        catalog: { findings: 80 },
      });
    } finally {
      await tvm.close();
      await own.close();
    }
  });
});
