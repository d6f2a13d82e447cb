import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get as httpGet, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DEMO_TVM_KEY } from '../src/local/aws/account.ts';
import { startEmbeddedAws } from '../src/local/aws/server.ts';
import { seed } from '../src/local/seed.ts';
import { get } from './http/support.ts';
import { freePort } from './support/processes.ts';
import type { RunningTvm } from './support/tvm.ts';

const MAIN = resolve(import.meta.dirname, '../src/main.ts');

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

type Running = {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The exit code, once the process has ended and its pipes are read. */
  readonly ended: Promise<number | null>;
};

/** Starts `main` with this environment and nothing of the machine's own. */
function run(environment: Readonly<Record<string, string>>): Running {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'] ?? '',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: DEMO_TVM_KEY.accessKeyId,
      AWS_SECRET_ACCESS_KEY: DEMO_TVM_KEY.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
      HOST: '127.0.0.1',
      // Other TVMs on this machine may use the default port.
      METRICS_PORT: 'off',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<number | null>((settle) => child.once('close', (code) => settle(code)));
  cleanups.push(() => {
    child.kill('SIGKILL');
    return ended;
  });
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Listens on 127.0.0.1 until the test ends, on any free port by default, and gives the port. */
async function listenOn(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  cleanups.push(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function at(port: number): RunningTvm {
  return { port, host: `127.0.0.1:${port}` } as RunningTvm;
}

async function statusOf(port: number, path: string): Promise<number> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}

const PATIENCE = { timeout: 20_000, interval: 50 };

async function startSeeded(port = 0) {
  const aws = await startEmbeddedAws({ port });
  cleanups.push(() => aws.close());
  await seed({ endpoint: aws.url, region: 'us-east-1', report: () => undefined });
  return aws;
}

describe('an error at the start', () => {
  it.each([
    [{ SENTINEL_CLOCK_SKEW: 'soon' }, 'SENTINEL_CLOCK_SKEW'],
    [{ SENTINEL_CLOCK_SKEV: '5m' }, 'did you mean SENTINEL_CLOCK_SKEW?'],
    [{ PORT: 'http' }, 'PORT'],
    [{ AWS_ENDPOINT_URL: '' }, 'SENTINEL_PUBLIC_URL'],
  ])(
    'is one sentence on stderr, exit code 1 and nothing on stdout for %j',
    async (environment, named) => {
      const { ended, stdout, stderr } = run({
        AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
        ...environment,
      });
      expect(await ended).toBe(1);
      expect(stderr()).toMatch(/^sentinel-tvm: [^\n]+[.?]\n$/u);
      expect(stderr()).toContain(named);
      expect(stdout()).toBe('');
    },
  );

  it('is the same for a PORT that is in use', async () => {
    const port = await listenOn(createServer());
    const { ended, stdout, stderr } = run({
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      PORT: String(port),
    });
    expect(await ended).toBe(1);
    expect(stderr()).toMatch(/^sentinel-tvm: [^\n]+\.\n$/u);
    expect(stderr()).toContain(`port ${port} is taken`);
    expect(stdout()).toBe('');
  });

  it('is the same for a METRICS_PORT that is in use', async () => {
    const taken = String(await listenOn(createServer()));
    const { ended, stdout, stderr } = run({
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      PORT: '0',
      METRICS_PORT: taken,
    });
    expect(await ended).toBe(1);
    expect(stderr()).toMatch(/^sentinel-tvm: [^\n]*METRICS_PORT[^\n]*\.\n$(?![^])/mu);
    expect(stderr()).toContain(`127.0.0.1:${taken}`);
    expect(stdout()).toBe('');
  });

  it('is the same for a HOST that is not an address of this machine', async () => {
    const { ended, stderr } = run({
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      HOST: '192.0.2.1',
      PORT: '0',
    });
    expect(await ended).toBe(1);
    expect(stderr()).toMatch(/^sentinel-tvm: [^\n]*192\.0\.2\.1[^\n]*\.\n$/u);
  });
});

describe('a TVM whose tables were used with another SENTINEL_BARE_NAMES', () => {
  it('says so in one sentence and exits with 1, at every start', async () => {
    const aws = await startSeeded();
    const variables = { AWS_ENDPOINT_URL: aws.url, PORT: '0' };
    const first = run(variables);
    await vi.waitFor(() => expect(first.stderr()).toContain('listening on'), PATIENCE);
    first.child.kill('SIGKILL');
    for (const owner of ['user', 'user', 'sso']) {
      const { ended, stderr } = run({ ...variables, SENTINEL_BARE_NAMES: owner });
      expect(await ended).toBe(1);
      expect(stderr()).toMatch(
        /^sentinel-tvm: SENTINEL_BARE_NAMES is "\w+", but .*"sentinel-tvm names migrate".*\.$/mu,
      );
    }
  });
});

describe('a TVM whose AWS is available', () => {
  it('says that it listens, vends, writes only audit lines to stdout, and exits with 0 at SIGTERM', async () => {
    const aws = await startSeeded();
    const port = await freePort();
    const { child, ended, stdout, stderr } = run({
      AWS_ENDPOINT_URL: aws.url,
      PORT: String(port),
      SENTINEL_LOG_LEVEL: 'trace',
      SENTINEL_STS_REGIONS: 'eu-west-1',
    });
    await expect.poll(stderr, PATIENCE).toContain(`listening on http://127.0.0.1:${port}\n`);
    expect(stderr()).toContain('SENTINEL_STS_REGIONS is set, but has no effect');
    const vended = await get(at(port), { profile: 'dev' });
    expect(vended.status, vended.body).toBe(200);
    expect((await get(at(port), { profile: 'vault' })).status).toBe(403);
    expect(await statusOf(port, '/')).toBe(403);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    const records = stdout()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.map(({ type, event, outcome }) => [type, event, outcome])).toEqual([
      ['audit', 'vend', 'vended'],
      ['audit', 'vend', 'denied'],
      ['audit', 'identity_refused', undefined],
    ]);
    for (const secret of [vended.json['SecretAccessKey'], vended.json['SessionToken']]) {
      expect(stdout() + stderr()).not.toContain(String(secret));
    }
    expect(stdout() + stderr()).not.toMatch(/not-a-secret/u);
  });
});

describe('the metrics of a TVM', () => {
  const NAMES = [
    'vends_total',
    'sts_total',
    'stage_seconds',
    'request_seconds',
    'catalog_age_seconds',
    'sessions',
  ];

  async function scrape(
    port: number,
    agent: Agent,
  ): Promise<IncomingMessage & { readonly text: string }> {
    const [answer] = (await once(httpGet({ port, path: '/metrics', agent }), 'response')) as [
      IncomingMessage,
    ];
    const chunks = (await answer.toArray()) as Buffer[];
    return Object.assign(answer, { text: Buffer.concat(chunks).toString() });
  }

  it('are at /metrics of METRICS_PORT only, and a scraper’s open connection does not delay the end', async () => {
    const aws = await startSeeded();
    const [port, metricsPort] = [await freePort(), await freePort()];
    const environment = {
      AWS_ENDPOINT_URL: aws.url,
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
    };
    const { child, ended, stderr } = run(environment);
    await expect.poll(stderr, PATIENCE).toContain('listening on');
    expect((await get(at(port), { profile: 'dev' })).status).toBe(200);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanups.push(() => agent.destroy());
    const { statusCode, headers, text } = await scrape(metricsPort, agent);
    expect(statusCode).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/u);
    for (const name of NAMES) expect(text).toContain(`# TYPE sentinel_${name} `);
    expect(text).toContain('sentinel_vends_total{outcome="vended"} 1\n');
    expect(await statusOf(port, '/metrics')).toBe(await statusOf(port, '/no-such-path'));
    expect(await statusOf(port, '/metrics')).toBe(404);
    expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('are left out with a warning if METRICS_PORT is not set and its default is in use', async () => {
    // Another test's TVM may use the port for a while; anybody else who keeps it serves the test,
    // too.
    function take(): Promise<boolean> {
      return listenOn(createServer(), 9_090).then(
        () => true,
        () => false,
      );
    }
    for (let tries = 0; tries < 50 && !(await take()); tries += 1) await sleep(100);
    const port = await freePort();
    const environment = {
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      PORT: String(port),
      METRICS_PORT: '',
    };
    const { child, stderr } = run(environment);
    await expect.poll(() => statusOf(port, '/healthz'), PATIENCE).toBe(200);
    await expect
      .poll(stderr, PATIENCE)
      .toMatch(/"level":40,[^\n]*metrics cannot be served on 127\.0\.0\.1:9090/u);
    expect(child.exitCode).toBeNull();
  });
});

/** A plain TCP relay to a server of this machine, which counts its connections. */
async function startRelay(target: string) {
  let opened = 0;
  const relay = createServer((socket) => {
    opened += 1;
    // When one end closes or fails, so does the other.
    pipeline(socket, connect(Number(new URL(target).port), '127.0.0.1'), socket, () => undefined);
  });
  return { url: `http://127.0.0.1:${await listenOn(relay)}`, opened: () => opened };
}

describe('the first vend of a TVM', () => {
  it('uses the connection to STS that was opened at the start', async () => {
    const aws = await startSeeded();
    const sts = await startRelay(aws.url);
    const port = await freePort();
    const { stderr } = run({
      AWS_ENDPOINT_URL: aws.url,
      AWS_ENDPOINT_URL_STS: sts.url,
      PORT: String(port),
    });
    await expect.poll(stderr, PATIENCE).toContain('listening on');
    // At the start the TVM asks twice who it is, at the same time.
    const opened = sts.opened();
    expect([1, 2]).toContain(opened);
    const vended = await get(at(port), { profile: 'dev' });
    expect(vended.status, vended.body).toBe(200);
    expect(sts.opened()).toBe(opened);
  });
});

describe('a TVM whose AWS cannot be reached', () => {
  it('is healthy but not ready, answers vends with 503, and recovers when AWS comes up', async () => {
    const awsPort = await freePort();
    const port = await freePort();
    const { child, ended, stdout, stderr } = run({
      AWS_ENDPOINT_URL: `http://127.0.0.1:${awsPort}`,
      PORT: String(port),
    });
    await expect.poll(() => statusOf(port, '/healthz'), PATIENCE).toBe(200);
    expect(await statusOf(port, '/readyz')).toBe(503);
    expect((await get(at(port), { profile: 'dev' })).status).toBe(503);
    expect(stderr()).toContain(
      `the documents cannot be read from http://127.0.0.1:${awsPort}; trying again`,
    );
    await startSeeded(awsPort);
    await expect.poll(() => statusOf(port, '/readyz'), PATIENCE).toBe(200);
    const vended = await get(at(port), { profile: 'dev' });
    expect(vended.status, vended.body).toBe(200);
    expect(child.exitCode).toBeNull();
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    const records = stdout().trimEnd().split('\n');
    expect(records.map((line) => (JSON.parse(line) as Record<string, unknown>)['event'])).toEqual([
      'unavailable',
      'vend',
    ]);
  });

  it('exits with 0 at SIGTERM', async () => {
    const port = await freePort();
    const { child, ended } = run({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1', PORT: String(port) });
    await expect.poll(() => statusOf(port, '/healthz'), PATIENCE).toBeGreaterThan(0);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});
