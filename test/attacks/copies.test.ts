import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { add, fire, outcomeOf, refused, shot, VENDED, type Shot } from './support.ts';

/**
 * An attacker who captured a signed request gains nothing by copies of it; only the attacker pays.
 */
const REPLAYED = refused(403, 'RequestReplayed');
const LIMITED = refused(429, 'RateLimited');
const DENIED = refused(403, 'PolicyDenied');

let desk: Desk;
let proxy: FaultProxy;
const running: RunningTvm[] = [];

beforeAll(async () => {
  desk = await startDesk();
  proxy = await startFaultProxy(desk.url);
});

afterAll(async () => {
  for (const tvm of running) await tvm.close();
  await proxy.close();
  await desk.close();
});

async function start(environment: Readonly<Record<string, string>>): Promise<RunningTvm> {
  const tvm = await startTvm(desk.url, {
    environment: {
      SENTINEL_TRUSTED_HOPS: '1',
      SENTINEL_RATE_LIMIT_WINDOW: '10m',
      AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
      ...environment,
    },
  });
  running.push(tvm);
  return tvm;
}

function from(address: string, what: Shot): Shot {
  return add(what, 'x-forwarded-for', address);
}

const anywhere = { host: 'localhost' };

function leftOf({ headers }: RawAnswer): string | undefined {
  return headers['ratelimit']?.replace(/;t=\d+$/u, '');
}

describe('rate limits for copies of a captured request', () => {
  it.each(['memory', 'shared'])(
    'uses nothing of the signer’s quota for copies, with the store %s',
    async (store) => {
      const tvm = await start({
        SENTINEL_RATE_LIMIT_REQUESTS: '20',
        SENTINEL_RATE_LIMIT_STORE: store,
      });
      const as = { accessKeyId: 'TVMDEMOBOB', secret: 'demo-bob-not-a-secret' };
      const captured = shot(tvm, { path: '/whoami', query: '', ...as });
      const vend = shot(tvm, as);
      const before = await sendRaw(tvm.port, from('192.0.2.1', captured));
      await sendRaw(tvm.port, from('192.0.2.1', vend));
      for (let time = 0; time < 30; time += 1) {
        const copy = await sendRaw(tvm.port, from('198.51.100.1', captured));
        expect([copy.status, copy.headers['ratelimit']]).toEqual([200, undefined]);
        await sendRaw(tvm.port, from('198.51.100.1', vend));
      }
      const after = await sendRaw(
        tvm.port,
        from('192.0.2.1', shot(tvm, { path: '/whoami', query: '', ...as })),
      );
      expect([leftOf(before), leftOf(after)]).toEqual(['"caller";r=19', '"caller";r=17']);
    },
  );

  it('charges copies to the address that sends them, and lets its own signed requests pass', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '2' });
    const captured = shot(tvm);
    expect(await fire(tvm, from('192.0.2.1', captured))).toEqual(VENDED);
    for (let time = 0; time < 20; time += 1) {
      expect(await fire(tvm, from('198.51.100.1', captured))).toEqual(REPLAYED);
    }
    expect(await fire(tvm, from('198.51.100.1', captured))).toEqual(LIMITED);
    await tvm.flush();
    expect(tvm.audit.at(-1)).toMatchObject({
      event: 'identity_refused',
      source_ip: '198.51.100.1',
    });
    expect(await fire(tvm, from('198.51.100.1', shot(tvm)))).toEqual(VENDED);
  });

  it('refuses a copy without a write to the table', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '1000' });
    const captured = shot(tvm);
    expect(await fire(tvm, from('192.0.2.1', captured))).toEqual(VENDED);
    proxy.set('dynamodb', 'down');
    try {
      for (let time = 0; time < 5; time += 1) {
        expect(await fire(tvm, from('198.51.100.1', captured))).toEqual(REPLAYED);
      }
    } finally {
      proxy.set('dynamodb', 'ok');
    }
  });

  it.each(['memory', 'shared'])(
    'gives the signer back what a copy at another instance cost, with the store %s',
    async (store) => {
      const environment = { SENTINEL_RATE_LIMIT_REQUESTS: '5', SENTINEL_RATE_LIMIT_STORE: store };
      const [one, other] = [await start(environment), await start(environment)];
      const as = { accessKeyId: 'TVMDEMOCAROL', secret: 'demo-carol-not-a-secret' };
      const keys = JSON.stringify({ duration: 60 });
      function captured() {
        return shot(anywhere, {
          method: 'POST',
          path: '/keys',
          query: '',
          body: keys,
          headers: { 'content-type': 'application/json' },
          ...as,
        });
      }
      for (let time = 0; time < 3; time += 1) {
        const once = captured();
        expect((await sendRaw(one.port, from('192.0.2.1', once))).status).toBe(200);
        expect(outcomeOf(await sendRaw(other.port, from('198.51.100.1', once)))).toEqual(REPLAYED);
      }
      const answer = await sendRaw(
        other.port,
        from('192.0.2.1', shot(anywhere, { ...as, path: '/whoami', query: '' })),
      );
      expect(leftOf(answer)).toBe(store === 'memory' ? '"caller";r=4' : '"caller";r=1');
    },
  );

  it('vends for no copy when the quota of its signer is used up', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '1' });
    expect(await fire(tvm, from('192.0.2.1', shot(tvm)))).toEqual(VENDED);
    const more = from('192.0.2.1', shot(tvm));
    const both = await Promise.all([sendRaw(tvm.port, more), sendRaw(tvm.port, more)]);
    expect(both.map(outcomeOf)).toEqual([LIMITED, LIMITED]);
    expect(await fire(tvm, more)).toEqual(LIMITED);
  });

  it('denies copies of a denied request again, because denial does not use a request up', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '5' });
    const denied = from('192.0.2.1', shot(tvm, { query: 'profile=vault' }));
    for (let time = 0; time < 3; time += 1) expect(await fire(tvm, denied)).toEqual(DENIED);
  });

  it('says in the refusal of a copy how to send a request that is none', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '5' });
    const once = from('192.0.2.1', shot(tvm));
    await sendRaw(tvm.port, once);
    const { status, json, headers } = await sendRaw(tvm.port, once);
    expect([status, json['error'], json['retry_after'], headers['retry-after']]).toEqual([
      403,
      'RequestReplayed',
      1,
      '1',
    ]);
    expect(json['message']).toContain('-H "x-sentinel-nonce: $RANDOM"');
  });

  it('counts equal requests within one second as one request unless their nonces differ', async () => {
    const tvm = await start({ SENTINEL_RATE_LIMIT_REQUESTS: '9' });
    const amzDate = `${new Date().toISOString().slice(0, 19).replace(/[-:]/gu, '')}Z`;
    function equal() {
      return from('192.0.2.1', shot(tvm, { amzDate, headers: { 'x-sentinel-nonce': 'the-same' } }));
    }
    expect([await fire(tvm, equal()), await fire(tvm, equal())]).toEqual([VENDED, REPLAYED]);
    expect(await fire(tvm, from('192.0.2.1', shot(tvm, { amzDate })))).toEqual(VENDED);
  });
});
