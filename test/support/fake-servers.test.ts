import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { replies, startFakeSts } from './fake-sts.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { startLambdaFront } from './lambda-front.ts';
import { sendRaw } from './raw-http.ts';
import { startRuntimeApi, type LambdaAnswer } from './runtime-api.ts';

/** Where nothing listens. */
const NOWHERE = 'http://127.0.0.1:1';

const ANSWER: LambdaAnswer = { statusCode: 200, headers: {}, body: 'ok', isBase64Encoded: false };

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

function kept<Server extends { readonly close: () => Promise<void> }>(server: Server): Server {
  cleanups.push(server.close);
  return server;
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** Sends half of a request's body and resets the connection. */
async function leaveEarly(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf');
  await new Promise((wake) => setTimeout(wake, 50));
  socket.resetAndDestroy();
  await new Promise((wake) => setTimeout(wake, 50));
}

/**
 * Vitest fails a run for each rejection that nobody handles, so these tests need not look for them.
 */
describe('a fake server whose client leaves in the middle of a request', () => {
  it('serves the next request: startFakeSts', async () => {
    const sts = kept(await startFakeSts(NOWHERE));
    sts.behave = replies(200, 'ok');
    await leaveEarly(portOf(sts.url));
    const headers = { host: 'x', 'x-sentinel-nonce': 'x' };
    expect((await sendRaw(portOf(sts.url), { target: '/', headers })).status).toBe(200);
  });

  it('serves the next request: startFaultProxy', async () => {
    const proxy = kept(await startFaultProxy(NOWHERE));
    proxy.set('sts', 'error');
    await leaveEarly(portOf(proxy.url));
    expect((await sendRaw(portOf(proxy.url), { target: '/', headers: { host: 'x' } })).status).toBe(
      500,
    );
  });

  it('serves the next request: startRuntimeApi', async () => {
    const api = kept(await startRuntimeApi());
    const port = portOf(`http://${api.address}`);
    await leaveEarly(port);
    expect((await sendRaw(port, { target: '/init/error', headers: { host: 'x' } })).status).toBe(
      202,
    );
  });

  it('serves the next request: startLambdaFront', async () => {
    const underWay = Promise.withResolvers<LambdaAnswer>();
    const answers = [underWay.promise, Promise.resolve(ANSWER)];
    const front = kept(
      await startLambdaFront(
        'alb',
        () => answers.shift() ?? Promise.reject(new Error('no answer')),
      ),
    );
    const first = sendRaw(front.port, { target: '/', headers: { host: 'x' } });
    await leaveEarly(front.port);
    underWay.resolve(ANSWER);
    expect((await first).status).toBe(200);
    expect((await sendRaw(front.port, { target: '/', headers: { host: 'x' } })).status).toBe(200);
  });
});

describe('a fake server whose upstream is not there', () => {
  it('ends the connection: startFakeSts and startFaultProxy', async () => {
    const servers = [kept(await startFakeSts(NOWHERE)), kept(await startFaultProxy(NOWHERE))];
    for (const { url } of servers) {
      expect((await sendRaw(portOf(url), { target: '/', headers: { host: 'x' } })).status).toBe(0);
    }
  });
});

describe('startLambdaFront', () => {
  it('answers 502 for a failed invocation, whatever its error says, and serves the next request', async () => {
    let calls = 0;
    function invoke(): Promise<LambdaAnswer> {
      calls += 1;
      return calls === 1
        ? Promise.reject(new Error('line\nbreak \u{1F511}'))
        : Promise.resolve(ANSWER);
    }
    const front = kept(await startLambdaFront('alb', invoke));
    expect((await sendRaw(front.port, { target: '/', headers: { host: 'x' } })).status).toBe(502);
    expect((await sendRaw(front.port, { target: '/', headers: { host: 'x' } })).status).toBe(200);
  });
});
