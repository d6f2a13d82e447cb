import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WriteBytes } from '../../src/audit/log.ts';
import { COUNTED } from '../../src/telemetry/meter.ts';
import { call, get, post } from '../http/support.ts';
import { API_ID } from '../support/lambda.ts';
import { ROOT } from '../support/processes.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';

let desk: Desk;
const running: RunningTvm[] = [];

async function start(options: Parameters<typeof startTvm>[1] = {}): Promise<RunningTvm> {
  const tvm = await startTvm(desk.url, options);
  running.push(tvm);
  return tvm;
}

beforeAll(async () => {
  desk = await startDesk();
});
afterAll(async () => {
  for (const tvm of running) {
    tvm.metricsServer?.close();
    await tvm.close();
  }
  await desk.close();
});

/** Starts the metrics port of a TVM if necessary, and gives its URL. */
async function metricsUrl({ metricsServer }: RunningTvm): Promise<string> {
  if (metricsServer === undefined) throw new Error('no metrics');
  if (!metricsServer.listening) {
    metricsServer.listen(0, '127.0.0.1');
    await once(metricsServer, 'listening');
  }
  return `http://127.0.0.1:${(metricsServer.address() as AddressInfo).port}/metrics`;
}

// prom-client writes NaN as Nan, which Prometheus accepts.
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (Nan|[+-]?(?:Inf|[0-9.e+-]+))$/u;

/** All samples by name and labels; throws for a line that is not in Prometheus's text format. */
async function scrape(tvm: RunningTvm): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(await metricsUrl(tvm));
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/u);
  const lines = (await answer.text())
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [, name = '', labels = '', value] = SAMPLE.exec(line) ?? [];
      if (name === '') throw new Error(`not a sample: ${line}`);
      return [name + labels, Number(value)];
    }),
  );
}

const VENDED = 'sentinel_vends_total{outcome="vended"}';

describe('/metrics for Prometheus', () => {
  it('counts vends, denials and refusals of identity, and times their steps', async () => {
    const tvm = await start();
    const before = await scrape(tvm);
    expect(before.get(VENDED)).toBe(0);
    for (let time = 0; time < 3; time += 1) await get(tvm, { profile: 'dev' });
    await get(tvm, { profile: 'dev' }, { as: 'carol' });
    await fetch(`${tvm.url}/?profile=dev`);
    await call(tvm, {
      path: '/revocations',
      method: 'POST',
      body: '{"kind":"user","value":"x","reason":"r"}',
    });
    const after = await scrape(tvm);
    expect(after.get(VENDED)).toBe(3);
    expect(after.get('sentinel_vends_total{outcome="denied"}')).toBe(1);
    expect(after.get('sentinel_identity_refused_total{outcome="authentication"}')).toBe(1);
    expect(after.get('sentinel_sts_total{outcome="ok",region="us-east-1"}')).toBe(3);
    expect(after.get('sentinel_stage_seconds_count{stage="vend"}')).toBe(4);
    for (const stage of ['guard', 'session', 'sts']) {
      expect(after.get(`sentinel_stage_seconds_count{stage="${stage}"}`)).toBe(3);
    }
    expect(after.get('sentinel_stage_seconds_count{stage="authenticate"}')).toBe(6);
    expect(after.get('sentinel_request_seconds_count{route="/",status="200"}')).toBe(3);
    expect(after.get('sentinel_sessions')).toBe(1);
  });

  it('shows the ages of documents and revocations, broken documents, and whether it drains', async () => {
    const fresh = await start({ start: false });
    const names = [...(await scrape(fresh)).keys()];
    expect(names).toContain('sentinel_draining');
    expect(names).not.toContain('sentinel_catalog_age_seconds');
    expect(names).not.toContain('sentinel_revocations_age_seconds');
    const tvm = await start();
    const samples = await scrape(tvm);
    expect(samples.get('sentinel_catalog_age_seconds')).toBeGreaterThanOrEqual(0);
    expect(samples.get('sentinel_revocations_age_seconds')).toBeGreaterThanOrEqual(0);
    expect(samples.get('sentinel_catalog_rejected')).toBe(0);
    expect(samples.get('sentinel_draining')).toBe(0);
    tvm.startDraining();
    expect((await scrape(tvm)).get('sentinel_draining')).toBe(1);
  });

  it('counts requests beyond the rate limit', async () => {
    const tvm = await start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '2' } });
    for (let time = 0; time < 5; time += 1) await get(tvm, { profile: 'dev' });
    const samples = await scrape(tvm);
    expect(samples.get('sentinel_identity_refused_total{outcome="rate_limited"}')).toBe(3);
    expect(samples.get('sentinel_request_seconds_count{route="/",status="429"}')).toBe(3);
  });

  it('counts reads of sessions by whether the cache had them', async () => {
    const tvm = await start();
    await get(tvm, { profile: 'dev' });
    const id = String(tvm.audit.at(-1)?.['session_id']);
    for (let time = 0; time < 3; time += 1) await call(tvm, { path: `/sessions/${id}` });
    const samples = await scrape(tvm);
    const [hits = 0, misses = 0] = ['hit', 'miss'].map((result) =>
      samples.get(`sentinel_session_cache_total{result="${result}"}`),
    );
    expect(hits + misses).toBe(3);
    expect(hits).toBeGreaterThanOrEqual(2);
    expect((await scrape(tvm)).get('sentinel_session_cache_total{result="hit"}')).toBe(hits);
  });

  it('counts vends whose record could not be written as failed, not as vended', async () => {
    let stalled = false;
    const kept: (() => void)[] = [];
    const writeAudit: WriteBytes = (bytes, done) =>
      stalled ? void kept.push(() => done(null, bytes.length)) : done(null, bytes.length);
    const tvm = await start({ writeAudit });
    stalled = true;
    // The first line is being written and stalls; the second waits behind it and is withdrawn.
    const answers = await Promise.all([get(tvm, { profile: 'dev' }), get(tvm, { profile: 'dev' })]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    stalled = false;
    for (const finish of kept.splice(0)) finish();
    await expect
      .poll(async () => (await scrape(tvm)).get('sentinel_vends_total{outcome="failed"}'))
      .toBe(2);
    expect((await scrape(tvm)).get(VENDED)).toBe(0);
  });

  it('counts the outcomes of AssumeRole', async () => {
    const tvm = await start({ environment: { AWS_ENDPOINT_URL_STS: desk.url } });
    await desk.put(
      '/sentinel/profiles/nowhere',
      'role_arn: arn:aws:iam::000000000000:role/not-there\n',
    );
    await desk.put(
      '/sentinel/policies/nowhere',
      "version: '1'\nrules:\n  - {name: all, effect: allow, conditions: {users: [alice]}, reason: test}\n",
    );
    const later = await start();
    expect((await get(later, { profile: 'nowhere' })).status).toBe(500);
    const samples = await scrape(later);
    expect(samples.get('sentinel_sts_total{outcome="misconfigured",region="us-east-1"}')).toBe(1);
    expect(samples.get('sentinel_vends_total{outcome="failed"}')).toBe(1);
    expect((await scrape(tvm)).get('sentinel_vends_total{outcome="failed"}')).toBe(0);
  });

  it('has every series from the start, so that the first event is a change', async () => {
    const samples = await scrape(await start({ start: false }));
    for (const [what, outcomes] of Object.entries(COUNTED)) {
      for (const outcome of outcomes) {
        const region = what === 'sts' ? ',region="us-east-1"' : '';
        expect(samples.get(`sentinel_${what}_total{outcome="${outcome}"${region}}`)).toBe(0);
      }
    }
  });

  it('shows the version of the server, and whether it is ready', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    const fresh = await scrape(await start({ start: false }));
    expect(fresh.get(`sentinel_build_info{version="${version}",node="${process.version}"}`)).toBe(
      1,
    );
    expect(fresh.get('sentinel_ready')).toBe(0);
    const tvm = await start();
    expect((await scrape(tvm)).get('sentinel_ready')).toBe(1);
    tvm.startDraining();
    expect((await scrape(tvm)).get('sentinel_ready')).toBe(0);
  });

  it('times calls to AWS by service, operation and outcome', async () => {
    const tvm = await start();
    await get(tvm, { profile: 'dev' });
    async function count(labels: string) {
      return (await scrape(tvm)).get(`sentinel_aws_call_seconds_count{${labels}}`);
    }
    expect(await count('service="sts",operation="AssumeRole",outcome="ok"')).toBe(1);
    expect(await count('service="sts",operation="GetCallerIdentity",outcome="ok"')).toBe(2);
    // The session's slot and row, and the claim of the signed request.
    expect(
      await count('service="dynamodb",operation="PutItem",outcome="ok"'),
    ).toBeGreaterThanOrEqual(2);
    expect(
      await count('service="dynamodb",operation="UpdateItem",outcome="ok"'),
    ).toBeGreaterThanOrEqual(1);
    const dead = await start({ environment: { AWS_ENDPOINT_URL_SSM: 'http://127.0.0.1:9' } });
    const samples = await scrape(dead);
    const failed = [...samples].filter(([name]) =>
      /_count\{service="ssm",.*outcome="failed"/u.test(name),
    );
    expect(failed.length).toBeGreaterThan(0);
  });

  it('labels requests with the server’s own paths, and all other paths alike', async () => {
    const tvm = await start();
    await call(tvm, { path: '/sessions/0123456789abcdef' });
    await call(tvm, { path: '/sessions/fedcba9876543210' });
    for (const path of ['/x', '/sessions/a/b', '/whoami/', '/%20'])
      await fetch(`${tvm.url}${path}`);
    const counts = [...(await scrape(tvm))].filter(([name]) =>
      name.startsWith('sentinel_request_seconds_count'),
    );
    const routes = new Map<string, number>();
    for (const [name, count] of counts) {
      const route = /route="([^"]*)"/u.exec(name)?.[1] ?? '';
      routes.set(route, (routes.get(route) ?? 0) + count);
    }
    expect(Object.fromEntries(routes)).toEqual({ '/sessions/:id': 2, other: 4 });
  });

  it('names no caller, profile or address', async () => {
    const tvm = await start();
    await get(tvm, { profile: 'dev' });
    await post(tvm, { profile: 'no-such-profile' });
    const text = await (await fetch(await metricsUrl(tvm))).text();
    expect(text).toContain(VENDED);
    expect(text).not.toMatch(/alice|TVMDEMO|no-such-profile|127\.0\.0\.1/u);
  });

  it('is only at /metrics of its own port, where there is nothing else', async () => {
    const tvm = await start();
    const url = await metricsUrl(tvm);
    expect((await fetch(`${tvm.url}/metrics`)).status).toBe(404);
    async function statusOf(path: string, method = 'GET') {
      return (await fetch(new URL(path, url), { method })).status;
    }
    expect(await statusOf('/')).toBe(404);
    expect(await statusOf('/metrics?x=1')).toBe(200);
    expect(await statusOf('/metrics', 'HEAD')).toBe(200);
    expect(await statusOf('/metrics', 'POST')).toBe(405);
    expect((await start({ environment: { METRICS_PORT: 'off' } })).metricsServer).toBeUndefined();
  });
});

type EmfLine = Record<string, unknown> & {
  readonly _aws: {
    readonly Timestamp: number;
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
};

describe('metrics for CloudWatch on AWS Lambda', () => {
  const onLambda = {
    AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001',
    SENTINEL_RATE_LIMIT_STORE: 'shared',
  };

  it('are one line for each request in the embedded metric format, with what happened since the last', async () => {
    const tvm = await start({ environment: onLambda });
    expect(tvm.metricsServer).toBeUndefined();
    await get(tvm, { profile: 'dev' });
    await get(tvm, { profile: 'dev' }, { as: 'carol' });
    await fetch(`${tvm.url}/healthz`);
    await expect.poll(() => tvm.metrics.length).toBe(2);
    const [vended, denied] = tvm.metrics.map((line) => JSON.parse(line) as EmfLine);
    expect(vended).toMatchObject({ VendsVended: 1, StsOk: 1, Requests2xx: 1, Region: 'us-east-1' });
    expect(denied).toMatchObject({ VendsDenied: 1, Requests4xx: 1 });
    expect(denied).not.toHaveProperty('StsOk');
    for (const line of [vended, denied]) {
      const [directive] = line?._aws.CloudWatchMetrics ?? [];
      expect(line?._aws.Timestamp).toBeGreaterThan(1_700_000_000_000);
      expect(directive?.Namespace).toBe('SentinelTVM');
      expect(directive?.Dimensions).toEqual([['Region']]);
      expect(directive?.Metrics.length).toBeLessThanOrEqual(100);
      for (const { Name, Unit } of directive?.Metrics ?? []) {
        expect(['Milliseconds', 'Count', 'Seconds']).toContain(Unit);
        const values = [line?.[Name]].flat();
        expect(values.length).toBeLessThanOrEqual(100);
        for (const value of values) expect(value).toBeTypeOf('number');
      }
    }
    expect(directiveNames(vended)).toEqual(
      expect.arrayContaining([
        'VendLatency',
        'StsLatency',
        'AuditLatency',
        'RevocationsAge',
        'CatalogAge',
      ]),
    );
  });

  it('have at most 100 values of a metric in a line, however many requests come at once', async () => {
    const environment = { ...onLambda, SENTINEL_FRONT: 'http-api', SENTINEL_FRONT_ID: API_ID };
    const tvm = await start({ environment });
    await Promise.all(Array.from({ length: 150 }, () => fetch(`${tvm.url}/whoami`)));
    await expect.poll(() => tvm.metrics.length).toBe(150);
    for (const line of tvm.metrics) {
      for (const value of Object.values(JSON.parse(line) as EmfLine)) {
        if (Array.isArray(value)) expect(value.length).toBeLessThanOrEqual(100);
      }
    }
  });
});

function directiveNames(line: EmfLine | undefined): readonly string[] {
  return (
    line?._aws.CloudWatchMetrics.flatMap(({ Metrics }) => Metrics.map(({ Name }) => Name)) ?? []
  );
}

describe('the metrics of 503 and of the audit log', () => {
  it('count each answer of 503 by what was not available', async () => {
    let broken = true;
    const writeAudit: WriteBytes = (bytes, done) =>
      broken ? done(new Error('full'), 0) : done(null, bytes.length);
    const tvm = await start({ writeAudit });
    const audit = 'sentinel_unavailable_total{outcome="audit"}';
    const before = await scrape(tvm);
    for (const cause of COUNTED.unavailable) {
      expect(before.get(`sentinel_unavailable_total{outcome="${cause}"}`)).toBe(0);
    }
    expect([
      before.get('sentinel_audit_writable'),
      before.get('sentinel_audit_lost_total'),
    ]).toEqual([1, 0]);
    expect((await get(tvm, { profile: 'dev' })).status).toBe(503);
    const after = await scrape(tvm);
    expect(after.get(audit)).toBe(1);
    expect([after.get('sentinel_audit_writable'), after.get('sentinel_audit_lost_total')]).toEqual([
      0, 1,
    ]);
    expect(after.get('sentinel_ready')).toBe(0);
    broken = false;
    expect((await get(tvm, { profile: 'dev' })).status).toBe(200);
    const later = await scrape(tvm);
    expect([later.get('sentinel_audit_writable'), later.get('sentinel_audit_lost_total')]).toEqual([
      1, 1,
    ]);
    expect(later.get(audit)).toBe(1);
  });

  it('count each refusal beyond the rate limit, although they share one line of the audit log', async () => {
    const tvm = await start({ environment: { SENTINEL_RATE_LIMIT_REQUESTS: '2' } });
    for (let time = 0; time < 7; time += 1) await call(tvm, { path: '/whoami' });
    const samples = await scrape(tvm);
    expect(samples.get('sentinel_identity_refused_total{outcome="rate_limited"}')).toBe(5);
    expect(tvm.audit).toEqual([]);
    await tvm.flush();
    expect(tvm.audit).toMatchObject([{ error: 'RateLimited', count: 5, source_ip: '127.0.0.1' }]);
    expect((await scrape(tvm)).get('sentinel_identity_refused_total{outcome="rate_limited"}')).toBe(
      5,
    );
  });
});
