import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { call } from '../http/support.ts';
import {
  freePort,
  startProcess,
  tvmVariables,
  untilHealthy,
  type Running,
} from '../support/processes.ts';
import { sendRaw } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';
import { startDesk, type Desk } from '../support/tvm.ts';
import { statuses } from './talk.ts';

/**
 * The real program with little memory and few descriptors, under load by clients that prove
 * nothing.
 */
const HEAP_MB = 256;
const DESCRIPTORS = 512;

let desk: Desk;
let running: Running;
let port = 0;
let metricsPort = 0;
const sockets: Socket[] = [];

beforeAll(async () => {
  desk = await startDesk();
  [port, metricsPort] = [await freePort(), await freePort()];
  const program = `ulimit -n ${DESCRIPTORS}; exec "$0" --max-old-space-size=${HEAP_MB} src/main.ts`;
  running = startProcess('bash', ['-c', program, process.execPath], {
    ...tvmVariables(port, desk.url),
    METRICS_PORT: String(metricsPort),
  });
  await untilHealthy(`http://127.0.0.1:${port}/healthz`, running);
}, 60_000);
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  expect(running.child.exitCode, running.stderr()).toBeNull();
  const tvm = { port, host: `127.0.0.1:${port}` };
  await expect
    .poll(async () => (await call(tvm, { query: 'profile=dev' })).status, PATIENCE)
    .toBe(200);
});
afterAll(async () => {
  await running.stop('SIGKILL');
  await desk.close();
});

const PATIENCE = { timeout: 20_000, interval: 50 };

/** Megabytes that the process keeps in memory now. */
function residentMb(): number {
  const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/u.exec(status)?.[1]) / 1024;
}

/** Descriptors that the process has open now. */
function openDescriptors(): number {
  return readdirSync(`/proc/${running.child.pid}/fd`).length;
}

function dial(to: number, bytes: string): { readonly socket: Socket; readonly text: () => string } {
  const chunks: Buffer[] = [];
  const socket = connect(to, '127.0.0.1');
  socket.write(bytes);
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  sockets.push(socket);
  return { socket, text: () => Buffer.concat(chunks).toString('latin1') };
}

async function askHealth(): Promise<number> {
  return (await sendRaw(port, { target: '/healthz', headers: { host: 'x' } })).status;
}

function answered(clients: readonly { readonly text: () => string }[]): number {
  return clients.reduce((sum, { text }) => sum + statuses(text()).length, 0);
}

/** How far memory may grow. Before answers were bounded, eight floods took 1.6 GB. */
const GROWTH_MB = 150;

describe.skipIf(process.platform !== 'linux')('pipelined requests without a signature', () => {
  it.each([
    ['20,000 on one connection', 1],
    ['20,000 on each of eight connections', 8],
    ['20,000 on each of sixty connections', 60],
  ])(
    'keep memory bounded and health checks answered: %s',
    async (_, connections) => {
      const before = residentMb();
      const flood = `GET /?profile=dev HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`.repeat(20_000);
      const clients = Array.from({ length: connections }, () => dial(port, flood));
      await expect.poll(() => answered(clients), PATIENCE).toBeGreaterThan(0);
      let most = 0;
      for (let asked = 0; asked < 10; asked += 1) {
        expect(await askHealth()).toBe(200);
        most = Math.max(most, residentMb());
        await sleep(20);
      }
      expect(answered(clients)).toBeLessThan(connections * 20_000);
      expect(most - before).toBeLessThan(GROWTH_MB);
    },
    60_000,
  );

  it('are all answered in the end', async () => {
    const client = dial(port, `GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(20_000));
    await expect.poll(() => answered([client]), { timeout: 50_000, interval: 200 }).toBe(20_000);
  }, 60_000);

  it('keep memory bounded on METRICS_PORT, too', async () => {
    const before = residentMb();
    const flood = `GET /metrics HTTP/1.1\r\n\r\n`.repeat(20_000);
    const clients = Array.from({ length: 8 }, () => dial(metricsPort, flood));
    await expect.poll(() => answered(clients), PATIENCE).toBeGreaterThan(0);
    for (let asked = 0; asked < 5; asked += 1) expect(await askHealth()).toBe(200);
    expect(residentMb() - before).toBeLessThan(GROWTH_MB);
    for (const { socket } of clients) socket.destroy();
    const scraped = await sendRaw(metricsPort, { target: '/metrics', headers: { host: 'x' } });
    expect(scraped.body).toContain('sentinel_vends_total');
  }, 60_000);
});

/** Signed headers that the server can judge only once it has the body. */
const SIGNED_LINES = Object.entries(
  sign({ host: '127.0.0.1', method: 'POST', path: '/', query: '', body: 'x'.repeat(10) }).headers,
)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

describe.skipIf(process.platform !== 'linux')(
  `600 half-open heads at ${DESCRIPTORS} descriptors`,
  () => {
    it.each([
      ['half a head', 'GET / HTTP/1.1\r\nhost:'],
      ['nothing', ''],
      ['half a body', 'POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 10\r\n\r\nx'],
      [
        'half a body that could be signed',
        `POST / HTTP/1.1\r\n${SIGNED_LINES}content-length: 10\r\n\r\nx`,
      ],
    ])(
      'leave the server able to answer, call AWS and write audit records: %s',
      async (_, bytes) => {
        function records(): number {
          return running.stdout().split('\n').length;
        }
        const before = records();
        for (let n = 0; n < 600; n += 1) dial(port, bytes);
        for (let n = 0; n < 60; n += 1) dial(metricsPort, bytes);
        await sleep(300);
        expect(openDescriptors()).toBeLessThan(DESCRIPTORS - 100);
        expect(await askHealth()).toBe(200);
        for (let n = 0; n < 3; n += 1) {
          const vended = await call({ port, host: `127.0.0.1:${port}` }, { query: 'profile=dev' });
          expect(vended.status, vended.body).toBe(200);
        }
        expect((await sendRaw(metricsPort, { target: '/metrics', headers: {} })).status).toBe(200);
        await expect.poll(records, PATIENCE).toBeGreaterThanOrEqual(before + 3);
      },
    );

    it('are reported in the log together, not one by one', () => {
      const said = running
        .stderr()
        .split('\n')
        .filter((line) => line.includes('these were turned away'));
      expect(said.length).toBeGreaterThanOrEqual(1);
      expect(said.length).toBeLessThanOrEqual(5);
      expect(JSON.parse(said[0] ?? '{}')).toMatchObject({
        level: 40,
        connection_closed: expect.any(Number),
      });
    });

    it('are counted in sentinel_turned_away_total', async () => {
      const { body } = await sendRaw(metricsPort, { target: '/metrics', headers: { host: 'x' } });
      const [, counted = '0'] =
        /^sentinel_turned_away_total\{outcome="connection_closed"\} (\d+)$/mu.exec(body) ?? [];
      expect(Number(counted)).toBeGreaterThan(300);
    });
  },
);

describe('a body of 400 MB', () => {
  const LENGTH = 400 * 1024 * 1024;

  it.each([
    ['/healthz', 'GET', 200],
    ['/readyz', 'GET', 200],
    ['/creds', 'POST', 404],
    ['/healthz', 'POST', 405],
    ['/', 'POST', 403],
    ['*', 'POST', 400],
  ])(
    'is not read, and the answer arrives: %s with %s is %i',
    async (target, method, status) => {
      for (const coding of [`content-length: ${LENGTH}`, `transfer-encoding: chunked`]) {
        const size = coding.startsWith('transfer') ? `${LENGTH.toString(16)}\r\n` : '';
        const { socket, text } = dial(
          port,
          `${method} ${target} HTTP/1.1\r\nhost: localhost\r\n${coding}\r\n\r\n${size}`,
        );
        function more(): void {
          while (socket.writable && socket.write(Buffer.alloc(65_536, 'x'))) void 0;
        }
        socket.on('drain', more);
        more();
        await expect.poll(() => socket.destroyed, PATIENCE).toBe(true);
        expect(statuses(text())).toEqual([status]);
        expect(socket.bytesWritten - socket.writableLength).toBeLessThan(32 * 1024 * 1024);
      }
    },
    30_000,
  );
});

describe('METRICS_PORT', () => {
  it('is named in the log at start, with its address', () => {
    expect(running.stderr()).toContain(
      `metrics are served at http://127.0.0.1:${metricsPort}/metrics`,
    );
  });

  it('does not read bodies', async () => {
    const head = 'POST /metrics HTTP/1.1\r\ncontent-length: 400000000\r\n\r\n';
    const { socket, text } = dial(metricsPort, head + 'x'.repeat(1_000_000));
    await expect.poll(() => socket.destroyed, PATIENCE).toBe(true);
    expect(statuses(text())).toEqual([405]);
  });
});
