import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  startFaultProxy,
  type Fault,
  type FaultProxy,
  type Service,
} from '../support/fault-proxy.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

/**
 * What callers are answered while an AWS service fails, and that the TVM then recovers without a
 * restart.
 */
let desk: Desk;
let proxy: FaultProxy;
let tvm: RunningTvm;

beforeAll(async () => {
  desk = await startDesk();
  proxy = await startFaultProxy(desk.url);
  tvm = await startTvm(proxy.url);
});

afterEach(() => {
  for (const service of ['sts', 'ssm', 'dynamodb'] as const) proxy.set(service, 'ok');
});

afterAll(async () => {
  await tvm.close();
  await proxy.close();
  await desk.close();
});

function vend({ host, port }: RunningTvm = tvm): Promise<RawAnswer> {
  const headers = { 'x-sentinel-nonce': randomBytes(16).toString('hex') };
  const signed = sign({ host, query: 'profile=dev', headers });
  return sendRaw(port, { target: '/?profile=dev', headers: signed.headers });
}

function expectOutage(answer: RawAnswer, error: string): void {
  expect([answer.status, answer.json['error']]).toEqual([503, error]);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  expect(answer.body).not.toContain('AccessKeyId');
}

const BROKEN: readonly Fault[] = [
  'down',
  'hang',
  'garbled',
  'empty',
  'error',
  'truncated',
  'stall-body',
];

const LOSES_ANSWERS: ReadonlySet<Fault> = new Set(['truncated', 'stall-body']);

describe('GET / while STS or DynamoDB fails', () => {
  it.each(BROKEN.flatMap((fault) => [['sts', fault] as const, ['dynamodb', fault] as const]))(
    'answers 503 while %s is %s, and vends again afterwards',
    async (service: Service, fault: Fault) => {
      proxy.set(service, fault);
      const answer = await vend();
      // If DynamoDB did the write and only its answer was lost, the retry finds the write, and the
      // vend may go on.
      if (service === 'dynamodb' && LOSES_ANSWERS.has(fault) && answer.status === 200) return;
      expectOutage(answer, 'ServiceUnavailable');
      expect(proxy.seen(service)).toBeGreaterThan(0);
      proxy.set(service, 'ok');
      expect((await vend()).status).toBe(200);
    },
  );

  it('answers 503 UpstreamThrottled while STS throttles, and vends for the same request later', async () => {
    proxy.set('sts', 'throttled');
    const signed = sign({
      host: tvm.host,
      query: 'profile=dev',
      headers: { 'x-sentinel-nonce': 'throttled' },
    });
    function send() {
      return sendRaw(tvm.port, { target: '/?profile=dev', headers: signed.headers });
    }
    expectOutage(await send(), 'UpstreamThrottled');
    proxy.set('sts', 'ok');
    expect((await send()).status).toBe(200);
    expect((await send()).json['error']).toBe('RequestReplayed');
  });

  it('answers 503 while DynamoDB throttles', async () => {
    proxy.set('dynamodb', 'throttled');
    expectOutage(await vend(), 'ServiceUnavailable');
  });

  it.each(['sts', 'dynamodb'] as const)('vends while %s is slow', async (service) => {
    proxy.set(service, 'slow');
    expect((await vend()).status).toBe(200);
  });

  it('records the failure with the code of AWS, whose message is not in the answer', async () => {
    proxy.set('sts', 'throttled');
    const answer = await vend();
    const record = tvm.audit.at(-1);
    expect(record).toMatchObject({
      event: 'vend',
      outcome: 'failed',
      upstream_code: 'Throttling',
      effect: 'allow',
    });
    expect(record?.['http_request_id']).toBe(answer.headers['x-request-id']);
    expect(answer.body).not.toContain('Rate exceeded');
  });
});

describe('GET / while SSM fails', () => {
  it.each([...BROKEN, 'throttled', 'empty-json', 'foreign'] as const)(
    'answers 503 while SSM is %s at the start, and vends later without a restart',
    async (fault) => {
      proxy.set('ssm', fault);
      const started = await startTvm(proxy.url);
      try {
        expectOutage(await vend(started), 'ServiceUnavailable');
        const [health, ready] = await Promise.all(
          ['/healthz', '/readyz'].map((target) =>
            sendRaw(started.port, { target, headers: { host: started.host } }),
          ),
        );
        expect([health?.status, ready?.status, ready?.json['status']]).toEqual([
          200,
          503,
          'unready',
        ]);
        expect(started.log()).toContain('the documents cannot be read from http://127.0.0.1');
        proxy.set('ssm', 'ok');
        await expect
          .poll(async () => (await vend(started)).status, { timeout: 20_000, interval: 200 })
          .toBe(200);
      } finally {
        await started.close();
      }
    },
  );

  it('vends by the last good documents while SSM is down', async () => {
    proxy.set('ssm', 'down');
    expect((await vend()).status).toBe(200);
  });
});
