import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../http/support.ts';
import { clientOf, send, tableOf } from '../revocations/support.ts';
import {
  freePort,
  startProcess,
  tvmVariables,
  untilHealthy,
  type Running,
} from '../support/processes.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, type Desk } from '../support/tvm.ts';

/**
 * The real program when nobody reads its audit log for a while or ever again, and when it is ended
 * or killed.
 */
let desk: Desk;
let port = 0;
let started: Running[] = [];

beforeAll(async () => {
  desk = await startDesk();
  port = await freePort();
});

afterEach(async () => {
  await Promise.all(started.map((running) => running.stop('SIGKILL')));
  started = [];
});

afterAll(() => desk.close());

type Program = Running & {
  readonly port: number;
  readonly host: string;
  readonly closed: Promise<number | null>;
};

async function start(environment: Readonly<Record<string, string>> = {}): Promise<Program> {
  const variables = { ...tvmVariables(port, desk.url), METRICS_PORT: 'off', ...environment };
  const running = startProcess(process.execPath, ['src/main.ts'], variables);
  started.push(running);
  // Unlike `exit`, `close` comes once all output has been read.
  const closed = once(running.child, 'close').then(([code]) => code as number | null);
  await untilHealthy(`http://127.0.0.1:${port}/healthz`, running);
  return { ...running, port, host: `127.0.0.1:${port}`, closed };
}

type Line = Readonly<Record<string, unknown>>;

function linesOf({ stdout }: Running): readonly Line[] {
  return stdout()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** Sends unsigned requests, 64 at a time; gives the ids of their answers. */
async function strangers({ port: to, host }: Program, count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  let sent = 0;
  async function worker(): Promise<void> {
    while (sent < count) {
      sent += 1;
      const answer = await sendRaw(to, { target: '/?profile=dev', headers: { host } });
      ids.push(String(answer.headers['x-request-id']));
    }
  }
  await Promise.all(Array.from({ length: 64 }, worker));
  return ids;
}

function ask({ port: to, host }: Program, target: string): Promise<RawAnswer> {
  return sendRaw(to, { target, headers: { host } });
}

/** The number of lines that the program says, at its end, it did not write. */
function unwrittenBy({ stderr }: Running): number {
  return Number(
    /"lines":(\d+),[^\n]*these lines of the audit log are not written/u.exec(stderr())?.[1] ?? 0,
  );
}

describe('the process while nobody reads stdout', () => {
  it('writes every line and exits with 0 if the reader comes back after SIGTERM', async () => {
    const program = await start();
    program.child.stdout?.pause();
    const ids = await strangers(program, 1_200);
    expect((await ask(program, '/readyz')).json['audit']).toEqual({ writable: false, lost: 0 });
    program.child.kill('SIGTERM');
    await sleep(2_000);
    program.child.stdout?.resume();
    expect(await program.closed).toBe(0);
    const recorded = linesOf(program).map(({ http_request_id: id }) => id);
    expect(recorded).toHaveLength(1_200);
    expect(new Set(recorded)).toEqual(new Set(ids));
    expect(unwrittenBy(program)).toBe(0);
  }, 120_000);

  it('exits with 1 and says how many lines are lost if the reader never comes back', async () => {
    const program = await start();
    program.child.stdout?.pause();
    await strangers(program, 1_200);
    expect((await ask(program, '/healthz')).json).toEqual({ status: 'audit_unwritable' });
    const exited = once(program.child, 'exit') as Promise<[number | null]>;
    program.child.kill('SIGTERM');
    expect((await exited)[0]).toBe(1);
    // Read what is left in the pipe.
    program.child.stdout?.resume();
    await program.closed;
    const whole = program.stdout().split('\n').slice(0, -1);
    expect(unwrittenBy(program)).toBeGreaterThan(0);
    expect(whole.length + unwrittenBy(program)).toBeGreaterThanOrEqual(1_200);
  }, 120_000);
});

describe('the process when stdout is closed', () => {
  it('answers 503 to vends, /healthz and /readyz, and exits with 1', async () => {
    const program = await start();
    program.child.stdout?.destroy();
    const refused = await call(program, { query: 'profile=dev' });
    expect([refused.status, refused.json['error']], refused.body).toEqual([
      503,
      'ServiceUnavailable',
    ]);
    expect(refused.body).not.toContain('AccessKeyId');
    expect(await ask(program, '/healthz')).toMatchObject({
      status: 503,
      json: { status: 'audit_unwritable' },
    });
    const { status, json } = await ask(program, '/readyz');
    expect([status, json['status'], json['audit']]).toEqual([
      503,
      'unready',
      { writable: false, lost: 1 },
    ]);
    for (let time = 0; time < 20; time += 1) {
      expect((await call(program, { query: 'profile=dev' })).status).toBe(503);
    }
    // It is logged once, not for each line.
    expect(program.stderr().split('the audit log cannot be written')).toHaveLength(2);
    const exited = once(program.child, 'exit') as Promise<[number | null]>;
    program.child.kill('SIGTERM');
    expect((await exited)[0]).toBe(1);
    expect(unwrittenBy(program)).toBe(21);
  }, 60_000);
});

describe('refusals above the limit', () => {
  it('share one short line for each address and window, which is written at the end', async () => {
    const program = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '3' });
    const long = `/${'x'.repeat(8_000)}`;
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => ask(program, '/?profile=dev').then(({ status }) => status)),
    );
    await ask(program, long);
    expect(new Set(answers)).toEqual(new Set([403, 429]));
    const refused = answers.filter((status) => status === 429).length;
    program.child.kill('SIGTERM');
    expect(await program.closed).toBe(0);
    const counted = linesOf(program).filter(({ count }) => count !== undefined);
    expect(counted).toMatchObject([
      { event: 'identity_refused', error: 'RateLimited', source_ip: '127.0.0.1', count: refused },
    ]);
    expect(linesOf(program)).toHaveLength(200 - refused + 1);
    for (const line of program.stdout().split('\n')) expect(line.length).toBeLessThan(2_000);
  }, 60_000);

  it('are written on AWS Lambda, too, in the time that is left after SIGTERM', async () => {
    const program = await start({
      SENTINEL_RATE_LIMIT_REQUESTS: '1',
      AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9',
    });
    for (let time = 0; time < 15; time += 1) await ask(program, '/?profile=dev');
    const expected = linesOf(program).length;
    expect(expected).toBeGreaterThan(0);
    program.child.kill('SIGTERM');
    await program.closed;
    expect(linesOf(program).filter(({ count }) => count !== undefined)).toHaveLength(1);
  }, 60_000);
});

describe('SIGKILL right after an answer', () => {
  it('loses neither entry nor record of an acknowledged revocation', async () => {
    const dynamodb = clientOf(desk.url);
    const table = tableOf(dynamodb, 'revocations');
    for (let round = 0; round < 3; round += 1) {
      const program = await start();
      const wish = { kind: 'user', value: `victim-${round}`, reason: 'the laptop was stolen' };
      const made = await send(program, '/revocations', wish);
      program.child.kill('SIGKILL');
      expect(made.status, made.body).toBe(201);
      await program.closed;
      const id = String(made.json['id']);
      expect(linesOf(program)).toMatchObject([
        { event: 'revocation', revocation_id: id, value: wish.value },
      ]);
      expect(await table.get(`rev#${id}`)).toBeDefined();
    }
    dynamodb.destroy();
  }, 120_000);
});

describe('a client that sends half a head', () => {
  it('does not keep the process from writing its counts and ending', async () => {
    const program = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '1' });
    for (let time = 0; time < 15; time += 1) await ask(program, '/?profile=dev');
    const half = connect(program.port, '127.0.0.1');
    half.on('error', () => undefined).write('GET / HTTP/1.1\r\nHost: x\r\n');
    await once(half, 'connect');
    program.child.kill('SIGTERM');
    await program.closed;
    half.destroy();
    expect(linesOf(program).filter(({ count }) => count !== undefined)).toHaveLength(1);
  }, 60_000);
});
