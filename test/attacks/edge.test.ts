import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { startTvm, type RunningTvm } from '../support/tvm.ts';
import {
  add,
  change,
  drop,
  fire,
  messageOf,
  refused,
  shot,
  useTvm,
  VENDED,
  type Shot,
} from './support.ts';

const MISMATCH = refused(403, 'SignatureDoesNotMatch');
const UNSIGNED = refused(403, 'MissingAuthenticationToken');

const CONTEXT = JSON.stringify({
  accountId: '000000000000',
  http: { sourceIp: '203.0.113.9' },
  authorizer: {
    iam: {
      userArn: 'arn:aws:iam::000000000000:user/dana',
      accessKey: 'AKIAEXAMPLE',
      accountId: '000000000000',
    },
  },
  identity: { userArn: 'arn:aws:iam::000000000000:user/dana', sourceIp: '203.0.113.9' },
});

const world = useTvm();

function lastAddress(tvm: RunningTvm): unknown {
  return tvm.audit.at(-1)?.['source_ip'];
}

describe('headers that only proxies should set, sent by a client', () => {
  it.each(['x-amzn-request-context', 'X-Amzn-Request-Context', 'x-amzn-lambda-context'])(
    '66 takes neither identity nor address from %s',
    async (name) => {
      const { tvm } = world;
      expect(await fire(tvm, add(drop(shot(tvm), 'authorization'), name, CONTEXT))).toEqual(
        UNSIGNED,
      );
      expect(await fire(tvm, add(shot(tvm), name, CONTEXT))).toEqual(VENDED);
      expect(tvm.audit.at(-1)).toMatchObject({
        outcome: 'vended',
        user: 'alice',
        via: 'key',
        source_ip: '127.0.0.1',
      });
    },
  );

  it.each([
    'x-amzn-oidc-data',
    'x-amzn-oidc-identity',
    'x-amzn-oidc-accesstoken',
    'x-amzn-mtls-clientcert-subject',
  ])('67 takes no identity from %s', async (name) => {
    const { tvm } = world;
    expect(await fire(tvm, add(drop(shot(tvm), 'authorization'), name, 'alice'))).toEqual(UNSIGNED);
    expect(await fire(tvm, add(shot(tvm), name, 'dana'))).toEqual(VENDED);
    expect(tvm.audit.at(-1)).toMatchObject({ outcome: 'vended', user: 'alice', via: 'key' });
  });

  it.each([
    'cookie',
    'proxy-authorization',
    'x-forwarded-user',
    'x-remote-user',
    'x-api-key',
    'x-request-id',
  ])('67 takes no identity from %s', async (name) => {
    const { tvm } = world;
    expect(await fire(tvm, add(drop(shot(tvm), 'authorization'), name, 'alice'))).toEqual(UNSIGNED);
  });

  it('68 keeps unsigned X-Forwarded-* headers out of the canonical request', async () => {
    const { tvm } = world;
    let forwarded: Shot = shot(tvm);
    for (const [name, value] of [
      ['x-forwarded-host', 'evil.example'],
      ['x-forwarded-proto', 'https'],
      ['x-forwarded-port', '443'],
      ['x-forwarded-prefix', '/profiles'],
      ['x-original-url', '/profiles'],
      ['x-rewrite-url', '/profiles'],
      ['forwarded', 'for=203.0.113.9;host=evil.example'],
      ['x-forwarded-for', '203.0.113.9'],
    ] as const) {
      forwarded = add(forwarded, name, value);
    }
    expect(await fire(tvm, forwarded)).toEqual(VENDED);
    expect(lastAddress(tvm)).toBe('127.0.0.1');
    const elsewhere = change(shot({ host: 'evil.example' }), 'host', () => tvm.host);
    expect(await fire(tvm, add(elsewhere, 'x-forwarded-host', 'evil.example'))).toEqual(MISMATCH);
  });

  it('68 verifies a signed X-Forwarded-For with the value that arrives', async () => {
    const { tvm } = world;
    const signed = shot(tvm, { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(await fire(tvm, signed)).toEqual(VENDED);
    const appended = shot(tvm, { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(
      await fire(
        tvm,
        change(appended, 'x-forwarded-for', (value) => `${value}, 10.0.0.1`),
      ),
    ).toEqual(MISMATCH);
  });
});

describe('SENTINEL_TRUSTED_HOPS', () => {
  const running: RunningTvm[] = [];
  beforeAll(async () => {
    for (const hops of ['1', '2']) {
      running.push(
        await startTvm(world.desk.url, { environment: { SENTINEL_TRUSTED_HOPS: hops } }),
      );
    }
  });
  afterAll(async () => {
    for (const tvm of running) await tvm.close();
  });

  it.each([
    [1, ['203.0.113.9'], '203.0.113.9'],
    [1, ['198.51.100.1, 203.0.113.9'], '203.0.113.9'],
    [1, ['198.51.100.1', '203.0.113.9'], '203.0.113.9'],
    [1, ['203.0.113.9:51234'], '203.0.113.9'],
    [1, ['::ffff:203.0.113.9'], '203.0.113.9'],
    [1, ['[2001:db8::1]:443'], '2001:db8::1'],
    [1, ['2001:DB8::1'], '2001:db8::1'],
    [1, ['203.0.113.9, '], undefined],
    [1, ['203.0.113.9, unknown'], undefined],
    [1, ['203.0.113.9 198.51.100.1'], undefined],
    [1, [], undefined],
    [2, ['203.0.113.9, 10.0.0.1'], '203.0.113.9'],
    [2, ['198.51.100.1, 203.0.113.9, 10.0.0.1'], '203.0.113.9'],
    [2, ['198.51.100.1', '203.0.113.9, 10.0.0.1'], '203.0.113.9'],
    [2, ['203.0.113.9'], undefined],
    [2, [''], undefined],
  ] as const)(
    '68 takes, with %i trusted hops and X-Forwarded-For %j, the address %s',
    async (hops, values, address) => {
      const tvm = running[hops - 1] as RunningTvm;
      let forwarded: Shot = shot(tvm);
      for (const value of values) forwarded = add(forwarded, 'X-Forwarded-For', value);
      expect(await fire(tvm, forwarded)).toEqual(VENDED);
      expect(lastAddress(tvm)).toBe(address);
      expect(await fire(tvm, drop(forwarded, 'authorization'))).toEqual(UNSIGNED);
      expect(lastAddress(tvm)).toBe(address);
    },
  );
});

describe('SENTINEL_HOSTS', () => {
  const running: RunningTvm[] = [];
  beforeAll(async () => {
    running.push(
      await startTvm(world.desk.url, {
        environment: { SENTINEL_HOSTS: 'tvm.example,other.example:8443' },
      }),
    );
  });
  afterAll(async () => {
    for (const tvm of running) await tvm.close();
  });

  it.each(['tvm.example', 'tvm.example:443', 'TVM.example', 'other.example:8443'])(
    '69 serves the host %s',
    async (host) => {
      expect(await fire(running[0] as RunningTvm, shot({ host }))).toEqual(VENDED);
    },
  );

  it.each([
    'evil.example',
    'tvm.example.evil.example',
    'other.example',
    'other.example:1',
    'tvm.example:443:1',
    '',
    'tvm.example@evil',
  ])('69 refuses the host "%s"', async (host) => {
    expect(await fire(running[0] as RunningTvm, shot({ host }))).toEqual(
      refused(400, 'ValidationError'),
    );
  });

  it.each(['127.1/xxx', '0/?aaaa', 'a/b', 'a:b:c', '[::g]', 'x.1', 'x:99999', 'a@b', '?', '#', ''])(
    '69 lets the Host "%s" change neither the path nor any other decision',
    async (host) => {
      for (const tvm of [world.tvm, running[0] as RunningTvm]) {
        expect(await fire(tvm, shot({ host }))).toEqual(refused(400, 'ValidationError'));
        expect(await fire(tvm, shot({ host }, { path: '/creds' }))).toEqual(
          refused(404, 'ValidationError'),
        );
        expect(await fire(tvm, drop(shot({ host }), 'authorization'))).toEqual(UNSIGNED);
        const health = await sendRaw(tvm.port, { target: '/healthz', headers: { host } });
        expect([health.status, health.body]).toEqual([200, '{"status":"ok"}\n']);
      }
    },
  );

  it('70 names a signed hop-by-hop header that a proxy removed', async () => {
    const { tvm } = world;
    const signed = shot(tvm, { headers: { te: 'trailers' } });
    expect(await fire(tvm, signed)).toEqual(VENDED);
    const stripped = drop(shot(tvm, { headers: { te: 'trailers' } }), 'te');
    expect(await fire(tvm, stripped)).toEqual(MISMATCH);
    expect(await messageOf(tvm, stripped)).toBe(
      'The signed header "te" did not arrive; a proxy may have removed it. Do not sign hop-by-hop headers.',
    );
  });

  it.each([
    [
      'x-amzn-trace-id',
      'Root=1-67891233-abcdef012345678912345678',
      'Self=1-67891233-12456789abcdef012345678;Root=1',
    ],
    ['x-forwarded-for', '192.0.2.1', '192.0.2.1, 127.0.0.1'],
    ['x-forwarded-proto', 'http', 'https'],
    ['x-forwarded-port', '80', '443'],
    ['forwarded', 'for=192.0.2.1', 'for=192.0.2.1, for=127.0.0.1'],
    ['via', '1.1 a', '1.1 a, 2.0 b'],
    ['connection', 'keep-alive', 'close'],
    ['keep-alive', 'timeout=5', 'timeout=4'],
    ['te', 'trailers', 'gzip'],
    ['user-agent', 'curl/8', 'Amazon CloudFront'],
    ['accept-encoding', 'br, gzip', 'gzip'],
    ['traceparent', '00-a-b-01', '00-a-c-01'],
    ['x-request-id', 'a', 'b'],
  ])(
    '70 names a signed %s that a proxy rewrote, and says not to sign it',
    async (name, sent, arrived) => {
      const { tvm } = world;
      const signed = shot(tvm, { headers: { [name]: sent } });
      const rewritten = change(signed, name, () => arrived);
      expect(await fire(tvm, rewritten)).toEqual(MISMATCH);
      const message = String(
        await messageOf(
          tvm,
          change(shot(tvm, { headers: { [name]: sent } }), name, () => arrived),
        ),
      );
      expect(message).toMatch(/^The request signature we calculated does not match/u);
      expect(message).toContain(` "${name}" is signed, and proxies change it; do not sign it.`);
      expect(message).not.toContain(arrived === 'close' ? 'keep-alive' : arrived);
    },
  );

  it('70 names at most five of the signed headers that proxies change, and no others', async () => {
    const { tvm } = world;
    const many = Object.fromEntries(
      ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((one) => [`x-forwarded-${one}`, '1']),
    );
    const signed = shot(tvm, {
      headers: { via: '1.1 a', 'x-amzn-trace-id': 'Root=1', 'x-mine': '1' },
    });
    expect(
      await messageOf(
        tvm,
        change(signed, 'via', () => '1.1 b'),
      ),
    ).toMatch(
      /on its way\. "via", "x-amzn-trace-id" are signed, and proxies change them; do not sign them\.$/u,
    );
    const flood = shot(tvm, { headers: many });
    const named = String(
      await messageOf(
        tvm,
        change(flood, 'x-forwarded-a', () => '2'),
      ),
    ).match(/"x-forwarded-/gu);
    expect(named).toHaveLength(5);
    const plain = shot(tvm, { headers: { 'x-mine': '1' } });
    expect(
      await messageOf(
        tvm,
        change(plain, 'x-mine', () => '2'),
      ),
    ).toMatch(/on its way\.$/u);
  });
});
