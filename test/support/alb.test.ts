import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startAlb, type Alb, type AlbOptions } from './alb.ts';
import { freePort } from './processes.ts';
import { sendRaw } from './raw-http.ts';

/** Tests the load balancer of the other tests, against targets that misbehave. */
const PATIENCE = { timeout: 20_000, interval: 20 };
const HOST: readonly [string, string] = ['Host', 'tvm.example.com:8443'];

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

type Target = { readonly port: number; readonly seen: IncomingMessage[]; readonly server: Server };

/** A target that is healthy; `serve` answers everything but health checks. */
async function startTarget(
  serve: RequestListener = (_, outgoing) => outgoing.end('ok'),
  port = 0,
): Promise<Target> {
  const seen: IncomingMessage[] = [];
  const server = createServer({ maxHeaderSize: 128 * 1024 }, (incoming, outgoing) => {
    if (incoming.url === '/healthz') {
      outgoing.end();
      return;
    }
    seen.push(incoming);
    serve(incoming, outgoing);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen, server };
}

async function startBefore(ports: readonly number[], options: AlbOptions = {}): Promise<Alb> {
  const alb = await startAlb(ports, { healthInterval: 20, ...options });
  cleanups.push(alb.close);
  return alb;
}

function headersSeen({ seen }: Target): readonly string[] {
  return seen.at(-1)?.rawHeaders ?? [];
}

describe('the head of a request through startAlb', () => {
  it('keeps the client’s names and order, loses hop-by-hop headers, and gets new ones at the end', async () => {
    const target = await startTarget();
    const alb = await startBefore([target.port], { clientAddress: '198.51.100.7' });
    const trace =
      'Self=1-00000000-000000000000000000000000;Root=1-67891233-abcdef012345678912345678;CalledFrom=app';
    const headers = [
      ['X-Second', 'b  b'],
      HOST,
      ['x-first', ''],
      ['X-SECOND', 'c'],
      ['X-Forwarded-For', '203.0.113.9'],
      ['x-forwarded-for', '203.0.113.10'],
      ['X-Forwarded-Proto', 'gopher'],
      ['X-Amzn-Trace-Id', trace],
      ['Keep-Alive', 'timeout=1'],
    ] as const;
    expect((await sendRaw(alb.port, { target: '/a%2Fb?c=%7e', headers })).body).toBe('ok');
    expect(target.seen[0]?.url).toBe('/a%2Fb?c=%7e');
    const expected = [
      ['X-Second', 'b  b'],
      HOST,
      ['x-first', ''],
      ['X-SECOND', 'c'],
      ['X-Forwarded-For', '203.0.113.9, 203.0.113.10, 198.51.100.7'],
      ['X-Forwarded-Proto', 'http'],
      ['X-Forwarded-Port', String(alb.port)],
      [
        'X-Amzn-Trace-Id',
        expect.stringMatching(
          /^Self=1-[0-9a-f]{8}-(?!0{24})[0-9a-f]{24};Root=1-67891233-abcdef012345678912345678;CalledFrom=app$/u,
        ) as string,
      ],
      ['Connection', 'keep-alive'],
    ];
    expect(headersSeen(target)).toEqual(expected.flat());
    await sendRaw(alb.port, { target: '/', headers: [HOST] });
    expect(headersSeen(target).at(-3)).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/u);
  });

  it('is refused with 400 beyond its limits, and never reaches a target', async () => {
    const target = await startTarget();
    const alb = await startBefore([target.port]);
    async function send(path: string, ...sizes: readonly number[]): Promise<number> {
      const pads = sizes.map((size, index) => [`x-${index}`, 'x'.repeat(size)] as const);
      return (await sendRaw(alb.port, { target: path, headers: [HOST, ...pads] })).status;
    }
    expect(await send(`/${'x'.repeat(16_000)}`)).toBe(200);
    expect(await send('/', 16_000, 16_000, 16_000, 16_000)).toBe(200);
    expect(target.seen).toHaveLength(2);
    expect(await send(`/${'x'.repeat(16_400)}`)).toBe(400);
    expect(await send('/', 16_400)).toBe(400);
    expect(await send('/', 16_000, 16_000, 16_000, 16_000, 2_000)).toBe(400);
    expect(await send('/', ...Array.from({ length: 20 }, () => 16_000))).toBe(400);
    expect(target.seen).toHaveLength(2);
  });
});

describe('the answers of startAlb', () => {
  async function get(alb: Alb): Promise<number> {
    return (await sendRaw(alb.port, { target: '/', headers: [HOST] })).status;
  }

  it('are 502 when the target closes the connection, and the request is sent once', async () => {
    const dropping = await startTarget((incoming) => incoming.socket.destroy());
    const alb = await startBefore([dropping.port]);
    expect(await get(alb)).toBe(502);
    expect(dropping.seen).toHaveLength(1);
    expect(alb.accessLog).toEqual([
      { target: dropping.port, elbStatus: 502, reason: 'ECONNRESET' },
    ]);
  });

  it('are 502 where nobody listens, 503 without targets, 504 when a target is silent', async () => {
    expect(await get(await startBefore([await freePort()]))).toBe(502);
    expect(await get(await startBefore([]))).toBe(503);
    const silent = await startTarget(() => undefined);
    expect(await get(await startBefore([silent.port], { idleTimeout: 200 }))).toBe(504);
    expect(silent.seen).toHaveLength(1);
  });

  it('are cut off where the target cut them off', async () => {
    const cutting = await startTarget((_, outgoing) => {
      outgoing.writeHead(200, { 'content-length': 10 });
      outgoing.write('half', () => outgoing.destroy());
    });
    const alb = await startBefore([cutting.port]);
    const answer = await sendRaw(alb.port, { target: '/', headers: [HOST] });
    expect([answer.status, answer.headers['content-length'], answer.body]).toEqual([
      200,
      '10',
      'half',
    ]);
  });

  it('come from the healthy targets in turn, and from all when none is healthy', async () => {
    const one = await startTarget();
    const two = await startTarget();
    const alb = await startBefore([one.port, two.port]);
    await expect.poll(() => alb.healthy(), PATIENCE).toEqual([one.port, two.port]);
    for (let time = 0; time < 4; time += 1) expect(await get(alb)).toBe(200);
    expect([one.seen.length, two.seen.length]).toEqual([2, 2]);

    one.server.closeAllConnections();
    one.server.close();
    await expect.poll(() => alb.healthy(), PATIENCE).toEqual([two.port]);
    for (let time = 0; time < 4; time += 1) expect(await get(alb)).toBe(200);
    expect(two.seen).toHaveLength(6);

    two.server.closeAllConnections();
    two.server.close();
    await expect.poll(() => alb.healthy(), PATIENCE).toEqual([]);
    expect(await get(alb)).toBe(502);
    await startTarget(undefined, one.port);
    await expect.poll(() => alb.healthy(), PATIENCE).toEqual([one.port]);
    expect(await get(alb)).toBe(200);
  });
});
