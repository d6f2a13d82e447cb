import { DeleteParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Snapshot } from '../../src/catalog/snapshot.ts';
import { DEMO_TVM_KEY } from '../../src/local/aws/account.ts';
import { startEmbeddedAws, type EmbeddedAws } from '../../src/local/aws/server.ts';
import { createCatalogReader } from '../support/catalog.ts';
import { BREAKING_FAULTS, startFaultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { sendRaw } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';
import { startDesk, startTvm, type RunningTvm } from '../support/tvm.ts';

/**
 * A fault in single answers of SSM can delay a change of the documents, and can do nothing else to
 * them.
 */
const PROFILES = 60;
const PROFILE = '{"role_arn":"arn:aws:iam::000000000000:role/R"}';
function policy(user: string): string {
  return JSON.stringify({
    version: '1',
    rules: [{ name: user, effect: 'allow', conditions: { users: [user] } }],
  });
}

/**
 * An AWS behind a proxy, and a loader that reads through it. There are enough documents that the
 * loader lists their versions.
 */
async function startWorld() {
  const aws: EmbeddedAws = await startEmbeddedAws({ port: 0 });
  const proxy: FaultProxy = await startFaultProxy(aws.url);
  const direct = new SSMClient({
    endpoint: aws.url,
    region: 'us-east-1',
    credentials: DEMO_TVM_KEY,
  });
  const catalog = createCatalogReader(proxy.url);
  function put(name: string, Value: string): Promise<unknown> {
    return direct.send(
      new PutParameterCommand({
        Name: `/sentinel/${name}`,
        Value,
        Type: 'String',
        Overwrite: true,
      }),
    );
  }
  for (let index = 0; index < PROFILES; index += 1) {
    await put(`policies/p${index}`, policy('alice'));
    await put(`profiles/p${index}`, PROFILE);
  }
  return {
    proxy,
    put,
    remove: (name: string) =>
      direct.send(new DeleteParameterCommand({ Name: `/sentinel/${name}` })),
    load: catalog.load,
    close: async () => {
      direct.destroy();
      catalog.close();
      await proxy.close();
      await aws.close();
    },
  };
}

/** The user whom each profile's first rule names, by profile. */
function users({ profiles }: Snapshot): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    [...profiles].map(([name, { policy: own }]) => [name, own.rules[0]?.name]),
  );
}

const EXPECTED = Object.fromEntries(
  Array.from({ length: PROFILES }, (_, index) => [`p${index}`, 'alice']),
);
const CHANGED: Record<string, string> = { ...EXPECTED, p3: 'bob' };
delete CHANGED['p4'];

/** Twelve worlds run at once; on a busy machine this takes long. */
const PATIENCE = 90_000;

describe.concurrent(
  'the catalog loader when one answer of SSM is broken',
  { timeout: PATIENCE },
  () => {
    it.each(BREAKING_FAULTS)(
      'reads the documents right at the next reading after "%s"',
      async (fault) => {
        for (const operation of [
          'GetParametersByPath',
          'DescribeParameters',
          'GetParameters',
        ] as const) {
          const world = await startWorld();
          try {
            const isFirst = operation === 'GetParametersByPath';
            if (!isFirst) {
              expect(users(await world.load())).toEqual(EXPECTED);
              await world.put('policies/p3', policy('bob'));
              await world.remove('profiles/p4');
            }
            const truth = isFirst ? EXPECTED : CHANGED;
            world.proxy.failNext('ssm', operation, fault);
            const before = world.proxy.seen('ssm', operation);
            const outcome = await world.load().then(users, (error: unknown) => error);
            expect(world.proxy.seen('ssm', operation)).toBeGreaterThan(before);
            if (!(outcome instanceof Error)) expect(outcome).toEqual(truth);
            expect(users(await world.load())).toEqual(truth);
          } finally {
            await world.close();
          }
        }
      },
    );
  },
);

describe('the catalog while SSM stalls', () => {
  let desk: Awaited<ReturnType<typeof startDesk>>;
  let proxy: FaultProxy;
  let tvm: RunningTvm;
  let offset = 0;

  beforeAll(async () => {
    desk = await startDesk();
    proxy = await startFaultProxy(desk.url);
    tvm = await startTvm(proxy.url, { monotonic: () => performance.now() + offset });
  });

  afterAll(async () => {
    await tvm.close();
    await proxy.close();
    await desk.close();
  });

  async function vend(): Promise<{ readonly status: number; readonly took: number }> {
    const signed = sign({
      host: tvm.host,
      query: 'profile=dev',
      headers: { 'x-sentinel-nonce': `${performance.now()}` },
    });
    const begun = performance.now();
    const { status } = await sendRaw(tvm.port, {
      target: '/?profile=dev',
      headers: signed.headers,
    });
    return { status, took: performance.now() - begun };
  }
  async function health(): Promise<number> {
    return (await sendRaw(tvm.port, { target: '/healthz', headers: { host: tvm.host } })).status;
  }

  it('serves the last good documents, answers 503 once they are too old, and recovers', async () => {
    proxy.set('ssm', 'stall-body');
    offset = 60_000;
    // The first request finds that a reading is due and waits for it a while; later ones do not
    // wait.
    expect((await vend()).status).toBe(200);
    expect(await vend()).toMatchObject({ status: 200 });
    expect(tvm.catalog.state()).toMatchObject({ usable: true, stuck: false });
    offset = 310_000;
    const late = await vend();
    expect(late.status).toBe(503);
    expect(late.took).toBeLessThan(20_000);
    expect(await health()).toBe(200);
    proxy.set('ssm', 'ok');
    await expect
      .poll(async () => (await vend()).status, { timeout: 20_000, interval: 500 })
      .toBe(200);
  });
});

describe('GET /healthz', () => {
  it('answers 503 while a reading of SSM has not ended by its deadline', async () => {
    const desk = await startDesk();
    const proxy = await startFaultProxy(desk.url);
    let offset = 0;
    const tvm = await startTvm(proxy.url, { monotonic: () => performance.now() + offset });
    try {
      proxy.set('ssm', 'hang');
      offset = 60_000;
      await tvm.catalog.current();
      function ask() {
        return sendRaw(tvm.port, { target: '/healthz', headers: { host: tvm.host } });
      }
      expect((await ask()).status).toBe(200);
      // Only a new process mends this: the calls under way ended neither by themselves nor at their
      // deadlines.
      offset = 60_000 + 400_000;
      expect(await ask()).toMatchObject({ status: 503, json: { status: 'stuck' } });
      await expect
        .poll(async () => (await ask()).status, { timeout: 20_000, interval: 500 })
        .toBe(200);
    } finally {
      await tvm.close();
      await proxy.close();
      await desk.close();
    }
  });
});
