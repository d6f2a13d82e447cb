import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createWorkGate, WORK_LIMITS } from '../../src/http/gate.ts';
import { toBytes } from '../attacks/talk.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, signedCall, startFakeSts, stsCredentials, type FakeAnswer } from './support.ts';

const { running, waiting } = WORK_LIMITS;
const PATIENCE = { timeout: 10_000, interval: 10 };
const DEV = { query: 'profile=dev' };

let desk: Desk;
let tvm: RunningTvm;
let sts: Awaited<ReturnType<typeof startFakeSts>>;
/** Calls of STS that are not answered yet. */
let held: (() => void)[] = [];
let isHolding = false;
let most = 0;
const sockets: Socket[] = [];

beforeAll(async () => {
  desk = await startDesk();
  sts = await startFakeSts(
    () =>
      new Promise<FakeAnswer>((resolve) => {
        if (!isHolding) return resolve(stsCredentials());
        held.push(() => resolve(stsCredentials()));
        most = Math.max(most, held.length);
      }),
  );
  tvm = await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_STS: sts.url } });
});
function release(): void {
  isHolding = false;
  for (const answer of held.splice(0)) answer();
}
afterEach(async () => {
  release();
  for (const socket of sockets.splice(0)) socket.destroy();
  await expect.poll(async () => (await call(tvm, DEV)).status, PATIENCE).toBe(200);
  sts.calls.length = 0;
  most = 0;
});
afterAll(async () => {
  await tvm.close();
  await sts.close();
  await desk.close();
});

function hold(): void {
  isHolding = true;
  held = [];
}

function vendMany(count: number): readonly Promise<RawAnswer>[] {
  return Array.from({ length: count }, () => call(tvm, DEV));
}

function statusesOf(answers: readonly RawAnswer[], status: number): readonly RawAnswer[] {
  return answers.filter((answer) => answer.status === status);
}

/** Sends a request and does not wait for the answer. */
function begin(bytes: string): Socket {
  const socket = connect(tvm.port, '127.0.0.1');
  socket.on('error', () => undefined).write(bytes);
  sockets.push(socket);
  return socket;
}

describe('vends above the limit of one process', () => {
  it('are answered 503 with Retry-After: 1 at once, without a call to STS', async () => {
    hold();
    const more = 60;
    const pending = vendMany(running + waiting + more);
    const answered: RawAnswer[] = [];
    for (const one of pending) void one.then((answer) => answered.push(answer));
    await expect.poll(() => held.length, PATIENCE).toBe(running);
    await expect.poll(() => answered.length, PATIENCE).toBeGreaterThanOrEqual(more);
    expect(statusesOf(answered, 503)).toHaveLength(answered.length);
    for (const { headers, json } of answered) {
      expect(headers['retry-after']).toBe('1');
      expect(json).toMatchObject({ error: 'ServiceUnavailable', retry_after: 1 });
    }
    for (const target of ['/healthz', '/readyz']) {
      expect((await sendRaw(tvm.port, { target, headers: { host: 'x' } })).status).toBe(200);
    }
    release();
    const answers = await Promise.all(pending);
    const vended = statusesOf(answers, 200);
    expect(vended.length).toBeGreaterThanOrEqual(running);
    expect(vended.length + statusesOf(answers, 503).length).toBe(running + waiting + more);
    expect(sts.assumed()).toHaveLength(vended.length);
    expect(most).toBe(running);
    expect(tvm.audit.filter(({ outcome }) => outcome === 'vended').length).toBeGreaterThanOrEqual(
      vended.length,
    );
  });

  it('are reported in the log and the audit log, and vends work again afterwards', async () => {
    expect((await call(tvm, DEV)).status).toBe(200);
    expect(tvm.log()).toMatch(/"overloaded":\d+,[^\n]*these were turned away/u);
    await tvm.flush();
    const told = tvm.audit.filter(({ cause }) => cause === 'overloaded');
    expect(told).toMatchObject([
      { event: 'unavailable', error: 'overloaded', count: expect.any(Number) },
    ]);
  });

  it('keep their connections for the next try', async () => {
    hold();
    const pending = vendMany(running + waiting);
    await expect.poll(() => held.length, PATIENCE).toBe(running);
    await new Promise((wake) => setTimeout(wake, 50));
    const socket = begin('');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    for (let n = 1; n <= 3; n += 1) {
      const { method, target, headers } = signedCall(tvm, DEV);
      socket.write(toBytes({ method, target, headers: Object.entries(headers) }));
      await expect.poll(() => text.match(/^HTTP\/1\.1 503 /gmu)?.length ?? 0, PATIENCE).toBe(n);
    }
    expect(text).not.toMatch(/connection: close/iu);
    release();
    await Promise.all(pending);
  });

  it('are dropped if the caller leaves while waiting', async () => {
    hold();
    const pending = vendMany(running);
    await expect.poll(() => held.length, PATIENCE).toBe(running);
    const left = Array.from({ length: 20 }, () => {
      const { method, target, headers } = signedCall(tvm, DEV);
      return begin(toBytes({ method, target, headers: Object.entries(headers) }));
    });
    await new Promise((wake) => setTimeout(wake, 100));
    for (const socket of left) socket.destroy();
    await new Promise((wake) => setTimeout(wake, 50));
    release();
    expect(statusesOf(await Promise.all(pending), 200)).toHaveLength(running);
    expect(sts.assumed()).toHaveLength(running);
  });
});

describe('requests that prove nobody', () => {
  it('take no place, however many there are', async () => {
    const { headers } = signedCall(tvm, { method: 'POST', body: '{"profile":"dev"}' });
    const lines = Object.entries({ ...headers, 'content-length': '17' });
    const half = toBytes({ method: 'POST', target: '/', headers: lines, body: '{' });
    for (let n = 0; n < running + waiting + 50; n += 1) begin(half);
    const forged = signedCall(tvm, DEV);
    const wrong = {
      ...forged.headers,
      authorization: `${forged.headers['authorization']?.slice(0, -4)}0000`,
    };
    const refused = await Promise.all(
      Array.from({ length: running + waiting }, () =>
        sendRaw(tvm.port, { ...forged, headers: wrong }),
      ),
    );
    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([403]));
    const vended = await call(tvm, DEV);
    expect(vended.status, vended.body).toBe(200);
  });
});

describe('createWorkGate', () => {
  it('frees a place when its request is over', async () => {
    const gate = createWorkGate({ running: 1, waiting: 1, patience: 10_000 });
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    expect(await gate.enter(first.promise)).toBe(true);
    expect(gate.isFull()).toBe(false);
    const next = gate.enter(second.promise);
    expect(gate.isFull()).toBe(true);
    expect(await gate.enter(Promise.resolve())).toBe(false);
    first.resolve();
    expect(await next).toBe(true);
    expect(gate.isFull()).toBe(false);
    second.resolve();
    await expect.poll(async () => gate.enter(Promise.resolve())).toBe(true);
  });

  it('lets nobody wait longer than its patience', async () => {
    const gate = createWorkGate({ running: 1, waiting: 1, patience: 20 });
    expect(await gate.enter(new Promise(() => undefined))).toBe(true);
    expect(await gate.enter(Promise.resolve())).toBe(false);
    expect(gate.isFull()).toBe(false);
  });
});
