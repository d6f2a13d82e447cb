import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../http/support.ts';
import { startAlb, type Alb } from '../support/alb.ts';
import {
  freePort,
  startProcess,
  tvmVariables,
  untilHealthy,
  type Running,
} from '../support/processes.ts';
import { sendRaw } from '../support/raw-http.ts';
import { startDesk, type Desk } from '../support/tvm.ts';

/**
 * An instance that is told to end while requests are rare: a quiet second does not mean that no
 * request will come.
 */
let desk: Desk;
let started: Running[] = [];
let alb: Alb | undefined;

beforeAll(async () => {
  desk = await startDesk();
});

afterEach(async () => {
  await alb?.close();
  alb = undefined;
  await Promise.all(started.map((running) => running.stop('SIGKILL')));
  started = [];
});

afterAll(() => desk.close());

async function start(drain: string) {
  const port = await freePort();
  const variables = {
    ...tvmVariables(port, desk.url),
    METRICS_PORT: 'off',
    SENTINEL_TRUSTED_HOPS: '1',
  };
  const running = startProcess(process.execPath, ['src/main.ts'], {
    ...variables,
    SENTINEL_DRAIN: drain,
  });
  started.push(running);
  await untilHealthy(`http://127.0.0.1:${port}/healthz`, running);
  const exited = once(running.child, 'exit') as Promise<[number | null]>;
  return { ...running, port, host: `127.0.0.1:${port}`, exited };
}

describe('an instance behind a load balancer at 0.7 requests a second', () => {
  it('is replaced without a lost request', async () => {
    const [leaving, staying] = [await start('6s'), await start('6s')];
    const balancer = await startAlb([leaving.port, staying.port], {
      healthInterval: 1_000,
      unhealthyThreshold: 3,
    });
    alb = balancer;
    await expect.poll(() => balancer.healthy().length, { timeout: 20_000 }).toBe(2);
    // The instance has been idle for longer than the quiet second for which it waits.
    await sleep(2_000);
    leaving.child.kill('SIGTERM');
    const statuses: number[] = [];
    for (let time = 0; time < 5; time += 1) {
      statuses.push((await call(balancer, { query: 'profile=dev' })).status);
      await sleep(1_400);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200]);
    expect(balancer.accessLog.filter(({ targetStatus }) => targetStatus !== 200)).toEqual([]);
    // The instance served some of them after its SIGTERM.
    expect(balancer.accessLog.map(({ target }) => target)).toContain(leaving.port);
    expect((await leaving.exited)[0]).toBe(0);
  }, 120_000);
});

describe('the process after SIGTERM', () => {
  it('serves requests for SENTINEL_DRAIN, with 503 on /healthz, then exits with 0', async () => {
    const program = await start('3s');
    await sleep(1_500);
    const begun = performance.now();
    program.child.kill('SIGTERM');
    let lastServed = 0;
    for (;;) {
      const { status } = await sendRaw(program.port, {
        target: '/healthz',
        headers: { host: program.host },
      }).catch(() => ({
        status: 0,
      }));
      if (status === 0) break;
      // The first answers may be from before the signal.
      if (performance.now() - begun > 500) expect(status).toBe(503);
      lastServed = performance.now() - begun;
      await sleep(50);
    }
    expect(lastServed).toBeGreaterThan(2_800);
    expect((await program.exited)[0]).toBe(0);
  }, 60_000);

  it('exits at once with 1 on a second SIGTERM', async () => {
    const program = await start('100s');
    program.child.kill('SIGTERM');
    await expect.poll(() => program.stderr(), { timeout: 10_000 }).toContain('draining');
    program.child.kill('SIGTERM');
    expect((await program.exited)[0]).toBe(1);
  }, 60_000);

  it('ignores a SIGINT', async () => {
    const program = await start('2s');
    program.child.kill('SIGTERM');
    program.child.kill('SIGINT');
    expect((await program.exited)[0]).toBe(0);
    expect(program.stderr().split('draining: ')).toHaveLength(2);
  }, 60_000);
});
