import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import {
  call,
  forward,
  get,
  signedCall,
  startFake,
  startFakeSts,
  type FakeAnswer,
} from './support.ts';

let desk: Desk;
const running: { close: () => Promise<void> }[] = [];

function kept<Value extends { close: () => Promise<void> }>(value: Value): Value {
  running.push(value);
  return value;
}

beforeAll(async () => {
  desk = await startDesk();
});

afterEach(async () => {
  for (const one of running.splice(0).toReversed()) await one.close();
});

afterAll(async () => {
  await desk.close();
});

function dynamoError(code: string, status: number): FakeAnswer {
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.0' },
    body: JSON.stringify({
      __type: `com.amazonaws.dynamodb.v20120810#${code}`,
      message: 'upstream says no',
    }),
  };
}

const GUARD_FAULTS: readonly (readonly [string, FakeAnswer])[] = [
  [
    'ProvisionedThroughputExceededException',
    dynamoError('ProvisionedThroughputExceededException', 400),
  ],
  ['ThrottlingException', dynamoError('ThrottlingException', 400)],
  ['AccessDeniedException', dynamoError('AccessDeniedException', 400)],
  ['ResourceNotFoundException', dynamoError('ResourceNotFoundException', 400)],
  ['ExpiredTokenException', dynamoError('ExpiredTokenException', 400)],
  ['InternalServerError', dynamoError('InternalServerError', 500)],
  ['garbage', { status: 200, body: '{{{' }],
  ['a page', { status: 502, body: '<html></html>' }],
  ['nothing but closes the connection', 'close'],
  ['nothing and hangs', 'hang'],
];

/** A DynamoDB that fails only for the writes of the replay guard. */
async function startGuardFault(fault: FakeAnswer) {
  const writes: string[] = [];
  const fake = await startFake((body, incoming) => {
    if (!body.includes('"replay#')) return forward(desk.port, body, incoming);
    writes.push(body);
    return fault;
  });
  return { ...fake, writes };
}

describe('GET /: 503 ServiceUnavailable by DynamoDB', () => {
  it.each(GUARD_FAULTS)(
    'vends nothing and does not call STS when DynamoDB answers %s to the replay guard',
    async (_, fault) => {
      const dynamodb = kept(await startGuardFault(fault));
      const sts = kept(await startFakeSts());
      const environment = {
        AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url,
        AWS_ENDPOINT_URL_STS: sts.url,
      };
      const tvm = kept(await startTvm(desk.url, { environment }));
      const answer = await get(tvm, { profile: 'dev' });
      expect(answer.status, answer.body).toBe(503);
      expect(answer.json).toMatchObject({ error: 'ServiceUnavailable', retry_after: 5 });
      expect(answer.headers['retry-after']).toBe('5');
      expect(answer.body).not.toContain('upstream says no');
      expect(dynamodb.writes.length).toBeGreaterThan(0);
      expect(sts.assumed()).toEqual([]);
      expect(tvm.audit).toHaveLength(1);
      expect(tvm.audit[0]).toMatchObject({
        outcome: 'failed',
        error: 'unavailable',
        effect: 'allow',
      });
    },
  );

  it('does not use DynamoDB for a request that policy denies', async () => {
    const dynamodb = kept(await startGuardFault('close'));
    const environment = { AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url };
    const tvm = kept(await startTvm(desk.url, { environment }));
    expect((await get(tvm, { profile: 'vault' })).status).toBe(403);
    expect(dynamodb.writes).toEqual([]);
    // One that needs an approval makes the request for it, which is a change.
    expect((await get(tvm, { profile: 'prod' })).status).toBe(503);
  });

  it('does not use DynamoDB with SENTINEL_REPLAY_GUARD=instance', async () => {
    const dynamodb = kept(await startGuardFault('close'));
    const environment = {
      AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url,
      SENTINEL_REPLAY_GUARD: 'instance',
    };
    // With a clock ahead of the signer's, what is signed now is dated before the start of this TVM.
    let now = Date.now() + 5_000;
    const tvm = kept(await startTvm(desk.url, { environment, clock: () => now }));
    expect((await get(tvm, { profile: 'dev' })).json['error']).toBe('RequestReplayed');
    now -= 10_000;
    const earlier = kept(await startTvm(desk.url, { environment, clock: () => now }));
    const request = signedCall(earlier, { query: 'profile=dev' });
    expect((await sendRaw(earlier.port, request)).status).toBe(200);
    expect((await sendRaw(earlier.port, request)).json['error']).toBe('RequestReplayed');
    expect(dynamodb.writes).toEqual([]);
  });
});

/** An SSM that works until the gate is closed. */
async function startSsmGate() {
  const gate = { open: true };
  const fake = await startFake((body, incoming) =>
    gate.open ? forward(desk.port, body, incoming) : { status: 500, body: '{}' },
  );
  return { ...fake, gate };
}

describe('GET /: 503 ServiceUnavailable by the documents', () => {
  it('refuses vends and lists while the documents were never read', async () => {
    const ssm = kept(await startFake(() => ({ status: 500, body: '{}' })));
    const tvm: RunningTvm = kept(
      await startTvm(desk.url, { environment: { AWS_ENDPOINT_URL_SSM: ssm.url } }),
    );
    for (const path of ['/', '/profiles']) {
      const answer = await call(tvm, { path, query: path === '/' ? 'profile=dev' : '' });
      expect(answer.status, answer.body).toBe(503);
      expect(answer.json).toMatchObject({ error: 'ServiceUnavailable' });
      expect(answer.headers['retry-after']).toBe('5');
    }
    expect(tvm.audit.map(({ event, cause, user }) => [event, cause, user])).toEqual([
      ['unavailable', 'catalog', undefined],
      ['unavailable', 'catalog', undefined],
    ]);
  });

  it('serves the last good documents until SENTINEL_CATALOG_MAX_AGE, then answers 503', async () => {
    const { url, gate } = kept(await startSsmGate());
    let offset = 0;
    function monotonic(): number {
      return performance.now() + offset;
    }
    const environment = { AWS_ENDPOINT_URL_SSM: url, SENTINEL_CATALOG_MAX_AGE: '10m' };
    const tvm = kept(await startTvm(desk.url, { environment, monotonic }));
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
    gate.open = false;
    offset = 9 * 60_000;
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
    expect((await call(tvm, { path: '/readyz' })).json['status']).toBe('degraded');
    offset = 10 * 60_000 + 5_000;
    const answer = await get(tvm, { profile: 'dev' });
    expect(answer.status).toBe(503);
    expect(answer.json['error']).toBe('ServiceUnavailable');
    expect((await call(tvm, { path: '/readyz' })).status).toBe(503);
    gate.open = true;
    offset += 60_000;
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
    expect((await call(tvm, { path: '/readyz' })).json['status']).toBe('ready');
  });
});
