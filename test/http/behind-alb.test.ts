import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAlb, type Alb } from '../support/alb.ts';
import { keyOf, postKeys, sendAs } from '../support/keys.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { call, signedCall, type Call } from './support.ts';

/**
 * The TVM behind an Application Load Balancer. Neither its changes nor forged headers of clients
 * may matter.
 */
const KIB = 1024;
/**
 * The address that the load balancer takes for its client's, so that it differs from that of the
 * load balancer.
 */
const CLIENT = '198.51.100.7';

/** The hosts that callers sign for: names of the load balancer, and the address of the tests. */
const HOSTS = 'tvm.example.com,[2001:db8::1],127.0.0.1';

let desk: Desk;
let tvm: RunningTvm;
let alb: Alb;

beforeAll(async () => {
  desk = await startDesk();
  tvm = await startTvm(desk.url, {
    environment: { SENTINEL_TRUSTED_HOPS: '1', SENTINEL_HOSTS: HOSTS },
  });
  alb = await startAlb([tvm.port], { clientAddress: CLIENT });
});

afterAll(async () => {
  await alb.close();
  await tvm.close();
  await desk.close();
});

const DEV: Call = { query: 'profile=dev' };

function result({ status, json }: RawAnswer) {
  return [status, json['error']];
}

function pad(count: number, size: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`x-pad-${index}`, 'x'.repeat(size)]),
  );
}

/** Vends with further headers before and after the signed ones. */
function vendBeside(
  headers: readonly (readonly [name: string, value: string])[],
  what: Call = DEV,
): Promise<RawAnswer> {
  const signed = signedCall(alb, what);
  const half = Math.ceil(headers.length / 2);
  const all = [
    ...headers.slice(0, half),
    ...Object.entries(signed.headers),
    ...headers.slice(half),
  ];
  return sendRaw(alb.port, { ...signed, headers: all });
}

/** Expects that the TVM still vends. */
async function expectToVend(): Promise<void> {
  const answer = await call(alb, DEV);
  expect(answer.status, answer.body).toBe(200);
}

describe('the Host behind a load balancer', () => {
  it.each([
    undefined,
    'tvm.example.com',
    'tvm.example.com:8443',
    'TVM.Example.com:80',
    '[2001:db8::1]:8443',
  ])('is verified as the client signed it: %s', async (host) => {
    const answer = await call(alb, { ...DEV, ...(host === undefined ? {} : { host }) });
    expect(answer.status, answer.body).toBe(200);
  });

  it('is the client’s, not the target’s', async () => {
    const { headers, ...rest } = signedCall(tvm, DEV);
    const moved = await sendRaw(alb.port, { ...rest, headers: { ...headers, host: alb.host } });
    expect(result(moved)).toEqual([403, 'SignatureDoesNotMatch']);
  });
});

describe('the address behind a load balancer', () => {
  it.each([
    ['no header', []],
    ['X-Forwarded-For', [['X-Forwarded-For', '203.0.113.9']]],
    ['more hops', [['x-forwarded-for', '203.0.113.9, 10.0.0.1,127.0.0.1']]],
    [
      'several lines',
      [
        ['X-Forwarded-For', '203.0.113.9'],
        ['x-forwarded-for', '203.0.113.10'],
      ],
    ],
    ['an open end', [['X-Forwarded-For', '203.0.113.9,']]],
    ['a text that is no address', [['X-Forwarded-For', 'unknown, "']]],
    ['an empty line', [['X-Forwarded-For', '']]],
    [
      'the protocol and port',
      [
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Port', '443'],
      ],
    ],
    ['a trace', [['X-Amzn-Trace-Id', 'Root=1-67891233-abcdef012345678912345678;Self=203.0.113.9']]],
    [
      'headers of other proxies',
      [
        ['Forwarded', 'for=203.0.113.9'],
        ['X-Real-IP', '203.0.113.9'],
        ['X-Forwarded-Host', 'evil.example'],
        ['True-Client-IP', '203.0.113.9'],
      ],
    ],
    [
      'the context of AWS Lambda',
      [['X-Amzn-Request-Context', '{"identity":{"sourceIp":"203.0.113.9"}}']],
    ],
  ] as const)(
    'is the one that the load balancer saw when the client forges %s',
    async (_, forged) => {
      const before = tvm.audit.length;
      const answer = await vendBeside(forged);
      expect(answer.status, answer.body).toBe(200);
      expect(tvm.audit.slice(before)).toEqual([
        expect.objectContaining({ outcome: 'vended', source_ip: CLIENT }),
      ]);
    },
  );

  it('is in the record of a refusal', async () => {
    const before = tvm.audit.length;
    const { headers, ...rest } = signedCall(alb, DEV);
    const forged = {
      ...headers,
      'x-forwarded-for': '203.0.113.9',
      authorization: `${headers['authorization']}0`,
    };
    expect((await sendRaw(alb.port, { ...rest, headers: forged })).status).toBeGreaterThanOrEqual(
      400,
    );
    expect(tvm.audit.slice(before)).toEqual([
      expect.objectContaining({ event: 'identity_refused', source_ip: CLIENT }),
    ]);
  });

  it.each(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-port', 'x-amzn-trace-id'])(
    'is not trusted from signed headers: refuses %s, which the load balancer changes',
    async (name) => {
      const answer = await call(alb, {
        ...DEV,
        headers: { [name]: 'Root=1-67891233-abcdef012345678912345678' },
      });
      expect(result(answer)).toEqual([403, 'SignatureDoesNotMatch']);
    },
  );
});

describe('sizes behind a load balancer', () => {
  it.each([
    ['a header of 15 KiB', pad(1, 15 * KIB)],
    ['four headers of 15 KiB', pad(4, 15 * KIB)],
    ['150 headers', pad(150, 10)],
  ])('accepts %s, signed or not', async (_, headers) => {
    const unsigned = await vendBeside(Object.entries(headers));
    expect(unsigned.status, unsigned.body).toBe(200);
    const [name = '', value = ''] = Object.entries(headers)[0] ?? [];
    const signed = await call(alb, { ...DEV, headers: { [name]: value } });
    expect(signed.status, signed.body).toBe(200);
  });

  it.each([
    ['a header of 17 KiB', pad(1, 17 * KIB)],
    ['five headers of 15 KiB', pad(5, 15 * KIB)],
    ['a hundred headers of a kilobyte', pad(100, KIB)],
  ])('leaves %s to the load balancer, which answers 400', async (_, headers) => {
    const seen = tvm.lastArrival();
    const answer = await call(alb, { ...DEV, headers });
    expect([answer.status, answer.headers['server'], answer.headers['content-type']]).toEqual([
      400,
      'awselb/2.0',
      'text/html',
    ]);
    expect(tvm.lastArrival()).toBe(seen);
    await expectToVend();
  });

  it('answers 400 to a target of 9 KiB, and the load balancer to one of 17 KiB', async () => {
    const long = await call(alb, { query: `device_id=${'x'.repeat(9 * KIB)}&profile=dev` });
    expect(result(long)).toEqual([400, 'ValidationError']);
    const longer = await call(alb, { query: `device_id=${'x'.repeat(17 * KIB)}&profile=dev` });
    expect([longer.status, longer.headers['server']]).toEqual([400, 'awselb/2.0']);
    await expectToVend();
  });

  it('reads a session token of 12 KiB whole, and refuses it with 403', async () => {
    const before = tvm.audit.length;
    const key = { accessKeyId: 'TVMKAAAAAAAAAAAAAAAA', secret: 'x', token: 'x'.repeat(12 * KIB) };
    const answer = await sendAs(alb, key, DEV);
    expect(answer.status).toBe(403);
    expect(answer.json['error']).toMatch(/^(?:InvalidClientTokenId|AccessDenied|ExpiredToken)$/u);
    expect(tvm.audit.slice(before)).toEqual([
      expect.objectContaining({
        event: 'identity_refused',
        claimed_access_key_id: 'TVMKAAAAAAAAAAAAAAAA',
      }),
    ]);
    await expectToVend();
  });
});

describe('bodies behind a load balancer', () => {
  const json = { 'content-type': 'application/json' };

  it('mint a key, which then vends', async () => {
    const key = keyOf(await postKeys(alb));
    expect((await sendAs(alb, key, DEV)).status).toBe(200);
  });

  it('are verified whole when they come in chunks', async () => {
    const body = '{"profile":"dev"}';
    const chunks = [body.slice(0, 3), body.slice(3, 4), body.slice(4)];
    const coded = `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`;
    const signed = signedCall(alb, { method: 'POST', body, headers: json });
    const headers = { ...signed.headers, 'transfer-encoding': 'chunked' };
    const answer = await sendRaw(alb.port, { ...signed, headers, body: coded });
    expect(answer.status, answer.body).toBe(200);
    const again = signedCall(alb, { method: 'POST', body, headers: json });
    const altered = { ...again, headers: { ...again.headers, 'transfer-encoding': 'chunked' } };
    const refused = await sendRaw(alb.port, { ...altered, body: coded.replace('dev', 'ops') });
    expect(result(refused)).toEqual([403, 'SignatureDoesNotMatch']);
  });

  it.each([
    ['announced', false],
    ['in chunks', true],
  ])('are refused with 413 over 64 KiB, %s, and the next request vends', async (_, chunked) => {
    const body = 'x'.repeat(1024 * KIB);
    const signed = signedCall(alb, { method: 'POST', body, headers: json });
    const coded = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const headers = { ...signed.headers, 'transfer-encoding': 'chunked' };
    const answer = await sendRaw(alb.port, chunked ? { ...signed, headers, body: coded } : signed);
    expect(result(answer)).toEqual([413, 'ValidationError']);
    for (let time = 0; time < 5; time += 1) await expectToVend();
  });
});

describe('connections behind a load balancer', () => {
  it('are kept for longer than the 60 s after which the load balancer closes them', async () => {
    const { headers } = await fetch(`${tvm.url}/healthz`);
    expect(Number(/^timeout=(\d+)$/u.exec(headers.get('keep-alive') ?? '')?.[1])).toBeGreaterThan(
      60,
    );
  });

  it('serve the next request after HEAD /healthz', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const opened = alb.connections(tvm.port).opened;
    function send(method: string): Promise<readonly [status: number | undefined, body: string]> {
      return new Promise((resolve, reject) => {
        const headers = { host: alb.host };
        const sent = request(
          { agent, host: '127.0.0.1', port: alb.port, method, path: '/healthz', headers },
          (answer) => {
            let body = '';
            answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
            answer.on('end', () => resolve([answer.statusCode, body]));
          },
        );
        sent.on('error', reject).end();
      });
    }
    expect(await send('HEAD')).toEqual([200, '']);
    expect(await send('GET')).toEqual([200, '{"status":"ok"}\n']);
    expect(await send('HEAD')).toEqual([200, '']);
    agent.destroy();
    expect(alb.connections(tvm.port).opened - opened).toBeLessThanOrEqual(1);
  });
});
