import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  guardConnections,
  SERVER_OPTIONS,
  type ConnectionLimits,
} from '../../src/http/connections.ts';
import { statuses } from '../attacks/talk.ts';

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

const MANY: ConnectionLimits = { total: 1_000, perSource: undefined };

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** Starts a guarded server with one handler; gives also what it turned away. */
async function serve(handle: Handler, limits = MANY) {
  const turnedAway: string[] = [];
  const server: Server = createServer(SERVER_OPTIONS, handle);
  guardConnections(server, limits, (what) => turnedAway.push(what));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, turnedAway };
}

type Client = {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: () => boolean;
};

async function dial(port: number, localAddress = '127.0.0.1'): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  return { socket, text: () => text, closed: () => socket.destroyed };
}

const PATIENCE = { timeout: 10_000, interval: 10 };
const GET = 'GET / HTTP/1.1\r\n\r\n';

const echo: Handler = (incoming, outgoing) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () =>
    outgoing.end(`${incoming.url}:${Buffer.concat(chunks).toString('latin1')};\n`),
  );
};

describe('requests on one connection', () => {
  it('are handled one at a time and in order, however many have arrived', async () => {
    let [under, most] = [0, 0];
    const seen: string[] = [];
    const { port } = await serve((incoming, outgoing) => {
      under += 1;
      most = Math.max(most, under);
      seen.push(incoming.url ?? '');
      setImmediate(() => {
        under -= 1;
        outgoing.end();
      });
    });
    const { socket, text } = await dial(port);
    const targets = Array.from({ length: 5_000 }, (_, n) => `/${n}`);
    socket.write(targets.map((target) => `GET ${target} HTTP/1.1\r\n\r\n`).join(''));
    await expect.poll(() => statuses(text()).length, PATIENCE).toBe(5_000);
    expect(seen).toEqual(targets);
    expect(most).toBe(1);
  });

  it('are not read further while one of them waits', async () => {
    const { port } = await serve(() => undefined);
    const { socket } = await dial(port);
    const sent = 64 * 1024 * 1024;
    let accepted = false;
    socket.write(Buffer.alloc(sent, GET), () => (accepted = true));
    await sleep(500);
    expect(accepted).toBe(false);
    expect(socket.bytesWritten - socket.writableLength).toBeLessThan(sent);
  });

  it('are not handled after one that ends the connection', async () => {
    let begun = 0;
    const { port } = await serve((_, outgoing) => {
      begun += 1;
      outgoing.setHeader('connection', 'close');
      outgoing.end();
    });
    const { socket, text, closed } = await dial(port);
    socket.write(GET.repeat(1_000));
    await expect.poll(closed, PATIENCE).toBe(true);
    expect([begun, statuses(text())]).toEqual([1, [200]]);
  });

  it('let other connections take turns', async () => {
    const { port } = await serve((_, outgoing) => outgoing.end());
    const busy = await dial(port);
    const other = await dial(port);
    busy.socket.write(GET.repeat(20_000));
    await once(busy.socket, 'data');
    other.socket.write(GET);
    await once(other.socket, 'data');
    expect(statuses(busy.text()).length).toBeLessThan(20_000);
  });

  it('get one 400 for garbage, after the answer to the request before it', async () => {
    const waiting: ServerResponse[] = [];
    const { port } = await serve((_, outgoing) => waiting.push(outgoing));
    const { socket, text, closed } = await dial(port);
    socket.write(`${GET}garbage\r\n\r\n${'x'.repeat(100_000)}`);
    await expect.poll(() => waiting.length, PATIENCE).toBe(1);
    await sleep(50);
    expect(text()).toBe('');
    waiting[0]?.end();
    await expect.poll(closed, PATIENCE).toBe(true);
    expect(statuses(text())).toEqual([200, 400]);
  });

  const body = fc.stringMatching(/^[a-c\r\n]{0,40}$/u);
  const request = fc.oneof(
    fc.constant({ body: '', head: '' }),
    body.map((text) => ({ body: text, head: `content-length: ${text.length}\r\n` })),
    fc.record({ body, chunked: fc.constant(true) }).map(({ body: text }) => ({
      body: text,
      head: 'transfer-encoding: chunked\r\n',
    })),
  );

  it('mean the same however their bytes are split', async () => {
    const under = { now: 0, most: 0 };
    const { port } = await serve((incoming, outgoing) => {
      under.most = Math.max(under.most, (under.now += 1));
      outgoing.once('close', () => (under.now -= 1));
      echo(incoming, outgoing);
    });
    const once100 = fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 30 }),
      async (requests, cuts) => {
        const { socket, text } = await dial(port);
        const bytes = requests
          .map(({ head, body: sent }, n) => {
            const chunk = sent === '' ? '' : `${sent.length.toString(16)}\r\n${sent}\r\n`;
            const coded = head.includes('chunked') ? `${chunk}0\r\n\r\n` : sent;
            return `POST /${n} HTTP/1.1\r\n${head}\r\n${coded}`;
          })
          .join('');
        socket.setNoDelay(true);
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          socket.write(bytes.slice(at, at + cut));
          at += cut;
          if (at < bytes.length) await new Promise((wake) => setImmediate(wake));
        }
        await expect.poll(() => statuses(text()).length, PATIENCE).toBe(requests.length);
        const bodies = requests.map(({ body: sent }, n) => `/${n}:${sent};`);
        let from = 0;
        for (const expected of bodies) {
          const found = text().indexOf(expected, from);
          expect(found, `${expected} in ${text()}`).toBeGreaterThanOrEqual(from);
          from = found + expected.length;
        }
        socket.destroy();
      },
    );
    await fc.assert(once100, { numRuns: 100 });
    // Two at once: a head that was split between its last line and its end counts before the other
    // ends.
    expect(under.most).toBeLessThanOrEqual(2);
  });
});

describe('a body that no handler reads', () => {
  const refusing: Handler = (_, outgoing) =>
    outgoing.writeHead(404, { 'content-length': 3 }).end('no\n');

  /** Sends until the server closes the connection; `sent` gives how much the server took. */
  async function flood(
    port: number,
    head: string,
  ): Promise<Client & { readonly sent: () => number }> {
    const client = await dial(port);
    const { socket } = client;
    socket.write(head);
    function more(): void {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'x'))) void 0;
    }
    socket.on('drain', more);
    more();
    await expect.poll(client.closed, PATIENCE).toBe(true);
    return { ...client, sent: () => socket.bytesWritten - socket.writableLength };
  }

  it.each([
    ['announced', `POST / HTTP/1.1\r\ncontent-length: ${400 * 1024 * 1024}\r\n\r\n`],
    ['of one chunk', 'POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n40000000\r\n'],
    ['with GET', `GET / HTTP/1.1\r\ncontent-length: ${400 * 1024 * 1024}\r\n\r\n`],
  ])('is read for a limited time, and the sender gets the answer: %s', async (_, head) => {
    const { port } = await serve(refusing);
    const { text, sent } = await flood(port, head);
    expect(statuses(text())).toEqual([404]);
    // The socket buffers of both kernels hold a part that the server cannot limit.
    expect(sent()).toBeLessThan(32 * 1024 * 1024);
  });

  it('is read for a limited time when its Expect header is answered 417', async () => {
    const { port } = await serve(refusing);
    const { text, sent } = await flood(
      port,
      'POST / HTTP/1.1\r\nexpect: miracles\r\ntransfer-encoding: chunked\r\n\r\n40000000\r\n',
    );
    expect(statuses(text())).toEqual([417]);
    expect(sent()).toBeLessThan(32 * 1024 * 1024);
  });

  it('ends the connection if it does not come, and leaves it open if it does', async () => {
    const { port } = await serve(refusing);
    const [slow, whole] = [await dial(port), await dial(port)];
    const head = 'POST / HTTP/1.1\r\ncontent-length: 100000\r\n\r\n';
    slow.socket.write(head);
    whole.socket.write(head);
    await once(whole.socket, 'data');
    whole.socket.write('x'.repeat(100_000));
    await expect.poll(slow.closed, PATIENCE).toBe(true);
    expect(statuses(slow.text())).toEqual([404]);
    whole.socket.write(GET);
    await expect.poll(() => statuses(whole.text()), PATIENCE).toEqual([404, 404]);
    expect(whole.closed()).toBe(false);
  });

  it('is answered with Connection: close if it is too long to be discarded', async () => {
    const { port } = await serve(refusing);
    const { socket, text } = await dial(port);
    socket.write('POST / HTTP/1.1\r\ncontent-length: 400000000\r\n\r\n');
    await expect.poll(text, PATIENCE).toMatch(/connection: close/iu);
  });
});

describe('connections above the limit', () => {
  const idle: Handler = (_, outgoing) => outgoing.end();

  it('replace those that never sent a whole request, the oldest first', async () => {
    const { port, turnedAway } = await serve(idle, { total: 3, perSource: undefined });
    const kept = await dial(port);
    kept.socket.write(GET);
    await once(kept.socket, 'data');
    const halves: Client[] = [];
    for (let n = 0; n < 5; n += 1) {
      const half = await dial(port);
      half.socket.write('GET / HTTP/1.1\r\nhost:');
      halves.push(half);
    }
    await expect
      .poll(() => halves.map(({ closed }) => closed()), PATIENCE)
      .toEqual([true, true, true, false, false]);
    expect(kept.closed()).toBe(false);
    expect(turnedAway).toEqual(['connection_closed', 'connection_closed', 'connection_closed']);
    const asking = await dial(port);
    asking.socket.write(GET);
    await once(asking.socket, 'data');
    expect(statuses(asking.text())).toEqual([200]);
  });

  it('replace idle ones if there are no others', async () => {
    const { port, turnedAway } = await serve(idle, { total: 2, perSource: undefined });
    const clients: Client[] = [];
    for (let n = 0; n < 3; n += 1) {
      const client = await dial(port);
      client.socket.write(GET);
      await once(client.socket, 'data');
      clients.push(client);
    }
    await expect
      .poll(() => clients.map(({ closed }) => closed()), PATIENCE)
      .toEqual([true, false, false]);
    expect(turnedAway).toEqual(['connection_closed']);
  });

  it('are answered 503 at once if all others have a request under way', async () => {
    const waiting: ServerResponse[] = [];
    const { port, turnedAway } = await serve((_, outgoing) => waiting.push(outgoing), {
      total: 2,
      perSource: undefined,
    });
    const [one, other] = [await dial(port), await dial(port)];
    one.socket.write(GET);
    other.socket.write(GET);
    await expect.poll(() => waiting.length, PATIENCE).toBe(2);
    const late = await dial(port);
    await expect.poll(late.closed, PATIENCE).toBe(true);
    expect(statuses(late.text())).toEqual([503]);
    expect(late.text()).toMatch(/retry-after: 1\r\n/iu);
    expect(turnedAway).toEqual(['connection_refused']);
    for (const outgoing of waiting) outgoing.end();
    await expect.poll(() => statuses(one.text() + other.text()), PATIENCE).toEqual([200, 200]);
  });

  it('from one address do not affect those from another', async () => {
    const waiting: ServerResponse[] = [];
    const limits = { total: 100, perSource: 2 };
    const { port, turnedAway } = await serve((_, outgoing) => waiting.push(outgoing), limits);
    for (let n = 0; n < 2; n += 1) (await dial(port)).socket.write(GET);
    await expect.poll(() => waiting.length, PATIENCE).toBe(2);
    const late = await dial(port);
    await expect.poll(late.closed, PATIENCE).toBe(true);
    const neighbour = await dial(port, '127.0.0.2');
    neighbour.socket.write(GET);
    await expect.poll(() => waiting.length, PATIENCE).toBe(3);
    expect(turnedAway).toEqual(['connection_refused']);
  });

  it('are no longer counted once either side has closed them', async () => {
    const { port, turnedAway } = await serve(idle, { total: 2, perSource: 2 });
    for (let n = 0; n < 50; n += 1) {
      const { socket, closed } = await dial(port);
      socket.write(n % 2 === 0 ? GET : 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n');
      await once(socket, 'data');
      if (n % 2 === 0) socket.destroy();
      await expect.poll(closed, PATIENCE).toBe(true);
      await sleep(2);
    }
    expect(turnedAway).toEqual([]);
  });
});

describe('timeouts', () => {
  it('are short for a head, and long for an idle connection', async () => {
    const { port } = await serve((_, outgoing) => outgoing.end());
    const [half, later, silent, resting] = [
      await dial(port),
      await dial(port),
      await dial(port),
      await dial(port),
    ];
    half.socket.write('GET / HTTP/1.1\r\nx: ');
    later.socket.write(GET);
    resting.socket.write(GET);
    await once(later.socket, 'data');
    later.socket.write('GET / HTTP/1.1\r\nx: ');
    const drip = setInterval(() => half.socket.write('y'), 500);
    cleanups.push(() => clearInterval(drip));
    await expect
      .poll(() => [half, later, silent].map(({ closed }) => closed()), PATIENCE)
      .toEqual([true, true, true]);
    expect(statuses(half.text())).toEqual([400]);
    expect(half.text()).toContain('did not arrive in time');
    expect(statuses(later.text())).toEqual([200, 400]);
    // Without a request there is no answer, because the client would take it for the answer to its
    // next request.
    expect(silent.text()).toBe('');
    await sleep(2_000);
    resting.socket.write(GET);
    await expect.poll(() => statuses(resting.text()), PATIENCE).toEqual([200, 200]);
  }, 30_000);
});
