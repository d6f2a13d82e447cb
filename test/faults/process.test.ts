import { once } from 'node:events';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { randomBytes } from 'node:crypto';
import { Agent, get } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  freePort,
  startProcess,
  tvmVariables,
  untilHealthy,
  type Running,
} from '../support/processes.ts';
import { sign, type Signed } from '../support/sign.ts';
import { startDesk, type Desk } from '../support/tvm.ts';

/**
 * The server as a process under load, killed, drained and restarted. Every answer must have its
 * audit record.
 */
let desk: Desk;
let port = 0;

beforeAll(async () => {
  desk = await startDesk();
  port = await freePort();
});
afterAll(() => desk.close());

async function start(): Promise<Running> {
  const running = startProcess(process.execPath, ['src/main.ts'], tvmVariables(port, desk.url));
  await untilHealthy(`http://127.0.0.1:${port}/healthz`, running);
  return running;
}

type Outcome = { readonly status: number; readonly accessKeyId?: string; readonly signed: Signed };

/** Vends once. Status 0 means that the connection ended without an answer. */
function vend(agent: Agent, signed: Signed): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = get(
      { agent, host: '127.0.0.1', port, path: '/?profile=dev', headers: { ...signed.headers } },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('error', () => resolve({ status: 0, signed }));
        answer.on('end', () => {
          const { AccessKeyId } = JSON.parse(text) as { AccessKeyId?: string };
          const status = answer.statusCode ?? 0;
          resolve({
            status,
            signed,
            ...(AccessKeyId === undefined ? {} : { accessKeyId: AccessKeyId }),
          });
        });
      },
    );
    request.on('error', () => resolve({ status: 0, signed }));
  });
}

function fresh(): Signed {
  return sign({
    host: `127.0.0.1:${port}`,
    query: 'profile=dev',
    headers: { 'x-sentinel-nonce': randomBytes(16).toString('hex') },
  });
}

/**
 * Sends `count` requests, `concurrency` at a time, over kept connections; calls `at` when half of
 * them are done.
 */
async function load(
  count: number,
  concurrency: number,
  at: () => void = () => undefined,
): Promise<readonly Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const outcomes: Outcome[] = [];
  let sent = 0;
  async function worker(): Promise<void> {
    while (sent < count) {
      sent += 1;
      outcomes.push(await vend(agent, fresh()));
      if (outcomes.length === Math.floor(count / 2)) at();
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  agent.destroy();
  return outcomes;
}

function vendedKeys(running: Running): readonly unknown[] {
  return running
    .stdout()
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ outcome }) => outcome === 'vended')
    .map(({ vended_access_key_id: key }) => key);
}

describe('the process under load', () => {
  it('answers 2,000 requests, 64 at a time, and records each vend', async () => {
    const running = await start();
    const outcomes = await load(2_000, 64);
    await running.stop();
    const vended = outcomes.filter(({ status }) => status === 200);
    // On a busy machine this test reads the audit log late, and then the TVM vends nothing.
    expect(outcomes.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
    expect(vended.length).toBeGreaterThan(1_900);
    const keys = vended.map(({ accessKeyId }) => accessKeyId);
    expect(new Set(keys).size).toBe(vended.length);
    const recorded = new Set(vendedKeys(running));
    expect(keys.filter((key) => !recorded.has(key))).toEqual([]);
    // A line may be written although the wait for it has ended; its vend was refused.
    expect(recorded.size - keys.length).toBeLessThanOrEqual(outcomes.length - vended.length);
  }, 120_000);

  it('has a record of each answer after SIGKILL, and refuses the same requests after a restart', async () => {
    const killed = await start();
    const outcomes = await load(400, 16, () => killed.child.kill('SIGKILL'));
    await killed.stop('SIGKILL');
    const answered = outcomes.filter(({ status }) => status === 200);
    expect(answered.length).toBeGreaterThan(100);
    expect(outcomes.some(({ status }) => status === 0)).toBe(true);
    const recorded = new Set(vendedKeys(killed));
    expect(answered.filter(({ accessKeyId }) => !recorded.has(accessKeyId))).toEqual([]);

    const restarted = await start();
    const agent = new Agent();
    expect((await vend(agent, fresh())).status).toBe(200);
    for (const { signed } of answered.slice(-5))
      expect((await vend(agent, signed)).status).toBe(403);
    expect(await restarted.stop()).toBe(0);
  }, 120_000);

  it('answers what it accepted before SIGTERM, and exits with 0', async () => {
    const running = await start();
    const exit = once(running.child, 'exit') as Promise<[number | null]>;
    const outcomes = await load(400, 16, () => running.child.kill('SIGTERM'));
    // No `stop` here: a second SIGTERM would end it at once.
    expect((await exit)[0]).toBe(0);
    const answered = outcomes.filter(({ status }) => status === 200);
    expect(answered.length).toBeGreaterThanOrEqual(200);
    expect(outcomes.filter(({ status }) => status !== 0 && status !== 200)).toEqual([]);
    expect(new Set(vendedKeys(running))).toEqual(
      new Set(answered.map(({ accessKeyId }) => accessKeyId)),
    );
  }, 120_000);

  it('writes the use counts of its sessions when it ends', async () => {
    const dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
    async function rows() {
      return (await dynamodb.send(new ScanCommand({ TableName: 'sentinel-sessions' }))).Items ?? [];
    }
    const running = await start();
    const before = new Set((await rows()).map(({ id }) => id?.S));
    const agent = new Agent();
    const query = 'profile=dev';
    for (let time = 0; time < 5; time += 1) {
      const headers = { 'x-sentinel-nonce': randomBytes(16).toString('hex') };
      expect((await vend(agent, sign({ host: `127.0.0.1:${port}`, query, headers }))).status).toBe(
        200,
      );
    }
    async function counted(): Promise<number> {
      return (await rows()).reduce((sum, { request_count: count }) => sum + Number(count?.N), 0);
    }
    const inTable = await counted();
    expect(await running.stop()).toBe(0);
    // The first vend of a session is counted in its row at once, further ones only in memory.
    const opened = (await rows()).some(({ id }) => !before.has(id?.S));
    expect((await counted()) - inTable).toBe(opened ? 4 : 5);
    dynamodb.destroy();
  });
});
