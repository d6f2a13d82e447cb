import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createStsClient, type AskSts } from '../../src/identity/sts-call.ts';
import {
  DANA,
  drip,
  never,
  raw,
  reset,
  says,
  startFakeSts,
  type Behaviour,
  type FakeSts,
} from '../support/fake-sts.ts';
import { CONSTANTS, GET_CALLER_IDENTITY } from '../support/forwarded.ts';

/** The STS client alone, with a deadline short enough to wait for in a test. */
let sts: FakeSts;
let ask: AskSts;
const request = {
  host: 'sts.us-east-1.amazonaws.com',
  headers: { ...CONSTANTS, 'x-sentinel-nonce': 'x' },
  body: GET_CALLER_IDENTITY,
};
beforeAll(async () => {
  sts = await startFakeSts('http://127.0.0.1:1');
  ask = createStsClient(sts.url, 150);
});
afterAll(() => sts.close());

/** How the promise settled; `pending` if it has not settled long after the deadline. */
function settled(answer: Promise<unknown>): Promise<string> {
  const late = new Promise<string>((resolve) =>
    setTimeout(() => resolve('pending'), 3_000).unref(),
  );
  return Promise.race([
    answer.then(
      () => 'answered',
      () => 'refused',
    ),
    late,
  ]);
}

it.each<readonly [string, Behaviour]>([
  ['no answer', never],
  ['a drip without end', drip],
  [
    'a head without body',
    (outgoing) => outgoing.writeHead(200, { 'content-length': '9' }).flushHeaders(),
  ],
  [
    'interim answers without end',
    (outgoing) => {
      const timer = setInterval(() => outgoing.writeProcessing(), 20);
      outgoing.on('close', () => clearInterval(timer));
    },
  ],
  [
    'a switch of protocols',
    raw('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'),
  ],
  [
    'a switch of protocols that stays open',
    (outgoing) =>
      void outgoing.socket?.write(
        'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n',
      ),
  ],
])('53 ends a call by its deadline after %s, and answers the next', async (_, behave) => {
  sts.behave = behave;
  expect(await settled(ask(request))).toBe('refused');
  sts.behave = says(DANA);
  expect(await settled(ask(request))).toBe('answered');
});

it('53 ends a call when nobody listens, and when the TLS handshake gets no answer', async () => {
  const dead = createServer();
  await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
  const { port } = dead.address() as { port: number };
  await new Promise((resolve) => dead.close(resolve));
  expect(await settled(createStsClient(`http://127.0.0.1:${port}`, 150)(request))).toBe('refused');
  expect(
    await settled(createStsClient(`https://127.0.0.1:${sts.url.split(':')[2]}`, 150)(request)),
  ).toBe('refused');
});

it('53 keeps the deadline while all connections are taken', async () => {
  sts.behave = never;
  const answers = await Promise.all(Array.from({ length: 80 }, () => settled(ask(request))));
  expect(new Set(answers)).toEqual(new Set(['refused']));
});

it('53 tries once more when an idle connection has died', async () => {
  const other = await startFakeSts('http://127.0.0.1:1');
  const patient = createStsClient(other.url, 2_000);
  other.behave = says(DANA);
  expect((await patient(request)).status).toBe(200);
  other.behave = (outgoing, seen) => {
    other.behave = says(DANA);
    reset(outgoing, seen);
  };
  expect((await patient(request)).status).toBe(200);
  expect(other.seen).toHaveLength(3);
  other.behave = reset;
  await expect(patient(request)).rejects.toThrow(/ECONNRESET|hang up/u);
  expect(other.seen).toHaveLength(5);
  await other.close();
});

/**
 * Asks with the TVM's client, then with Node's own, in a process whose environment names a proxy.
 */
const PROGRAM = `
import { request } from 'node:http';
import { createStsClient } from './src/identity/sts-call.ts';
const { URL_OF_STS: url, REQUEST: json } = process.env;
const reply = await createStsClient(url)(JSON.parse(json));
const { port } = new URL(url);
const own = await new Promise((resolve, reject) => {
  request({ host: '127.0.0.1', port, path: '/' }, (answer) => resolve(answer.statusCode)).on('error', reject).end();
});
process.stdout.write(JSON.stringify([reply.status, own]), () => process.exit());
`;

it('53 uses no proxy that the environment names', async () => {
  const asked: string[] = [];
  const proxy = createHttpServer((incoming, outgoing) => {
    asked.push(incoming.url ?? '');
    outgoing.writeHead(407).end();
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  sts.behave = says(DANA);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', PROGRAM],
    {
      env: {
        NODE_USE_ENV_PROXY: '1',
        HTTP_PROXY: address,
        HTTPS_PROXY: address,
        http_proxy: address,
        https_proxy: address,
        ALL_PROXY: address,
        URL_OF_STS: sts.url,
        REQUEST: JSON.stringify(request),
      },
    },
  );
  expect(JSON.parse(stdout)).toEqual([200, 407]);
  expect(asked).toEqual([`${sts.url}/`]);
  proxy.close();
});
