import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { GetParametersByPathCommand } from '@aws-sdk/client-ssm';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createAwsClients, type AwsClients } from '../../src/aws/clients.ts';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { startDesk, type Desk } from '../support/tvm.ts';

let desk: Desk;
let proxy: FaultProxy;
let clients: AwsClients;

beforeAll(async () => {
  desk = await startDesk();
  proxy = await startFaultProxy(desk.url);
  const { url } = proxy;
  clients = createAwsClients({
    region: 'us-east-1',
    endpoints: { sts: url, ssm: url, dynamodb: url },
  });
});

afterEach(() => {
  for (const service of ['sts', 'ssm', 'dynamodb'] as const) proxy.set(service, 'ok');
});

afterAll(async () => {
  for (const client of Object.values(clients)) client.destroy();
  await proxy.close();
  await desk.close();
});

const calls = {
  sts: (abortSignal = new AbortController().signal) =>
    clients.sts.send(new GetCallerIdentityCommand({}), { abortSignal }),
  ssm: (abortSignal = new AbortController().signal) =>
    clients.ssm.send(new GetParametersByPathCommand({ Path: '/sentinel', Recursive: true }), {
      abortSignal,
    }),
  dynamodb: (abortSignal = new AbortController().signal) =>
    clients.dynamodb.send(new DescribeTableCommand({ TableName: 'sentinel-guard' }), {
      abortSignal,
    }),
};

const SERVICES = ['sts', 'ssm', 'dynamodb'] as const;

/** Rejects after a wait that must have ended, long before the test runner's own limit. */
async function within(ms: number, run: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms, 'still waiting');
  });
  try {
    return await Promise.race([
      run.then(
        () => 'answered',
        (error: unknown) => error,
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

describe('boundWholeAnswers', () => {
  it.each(['stall-body', 'trickle'] as const)(
    'ends a call whose answers %s, after its tries',
    async (fault) => {
      const outcomes = SERVICES.map(async (service) => {
        proxy.set(service, fault);
        const before = proxy.seen(service);
        const outcome = await within(20_000, calls[service]());
        return { service, outcome, tries: proxy.seen(service) - before };
      });
      expect(await Promise.all(outcomes)).toMatchObject([
        { service: 'sts', outcome: { name: 'TimeoutError' }, tries: 3 },
        { service: 'ssm', outcome: { name: 'TimeoutError' }, tries: 3 },
        { service: 'dynamodb', outcome: { name: 'TimeoutError' }, tries: 2 },
      ]);
    },
  );

  it.each(SERVICES)(
    '%s: asks again when one body stalls, and gives that answer',
    async (service) => {
      let stalled = false;
      proxy.set(service, () => {
        const fault = stalled ? 'ok' : 'stall-body';
        stalled = true;
        return fault;
      });
      expect(await within(20_000, calls[service]())).toBe('answered');
    },
  );

  it.each(SERVICES)('%s: ends a call by its signal while the body stalls', async (service) => {
    proxy.set(service, 'stall-body');
    const begun = performance.now();
    const outcome = await within(20_000, calls[service](AbortSignal.timeout(300)));
    expect(outcome).toBeInstanceOf(Error);
    // The signal ends the call before its first try would end.
    expect(performance.now() - begun).toBeLessThan(1_900);
  });

  it('passes an answer of many chunks on unchanged', async () => {
    for (let index = 0; index < 10; index += 1)
      await desk.put(`/large/${index}`, 'x'.repeat(4_000));
    const { Parameters: parameters } = await clients.ssm.send(
      new GetParametersByPathCommand({ Path: '/large' }),
    );
    expect(parameters?.map(({ Value }) => Value)).toEqual(
      Array.from({ length: 10 }, () => 'x'.repeat(4_000)),
    );
  });
});
