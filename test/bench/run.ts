import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBundle } from '../../.scripts/build.ts';
import { startEmbeddedAws } from '../../src/local/aws/server.ts';
import { seed } from '../../src/local/seed.ts';
import { freePort, startProcess, tvmVariables, type Running } from '../support/processes.ts';
import { sign } from '../support/sign.ts';
import { measureRevocation } from './revocation.ts';
import { measureSessionBytes } from './sessions.ts';

/**
 * `npm run bench`: what costs how much, sides compared in one run on one machine, printed as ratios. Nothing here is a
 * test: numbers of another machine are other numbers.
 *
 * `--vends N` sets how many vends the memory entry makes (2,000), `--trials N` how often a revocation is timed (20).
 */
const RUNS = 9;
const CONCURRENCY = 16;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

let nonce = 0;

/** One signed vend; the status, 0 if nothing listens. */
const vend = async (port: number): Promise<number> => {
  nonce += 1;
  const headers = { 'x-sentinel-nonce': `bench-${nonce}` };
  const signed = sign({ host: `127.0.0.1:${port}`, query: 'profile=dev', headers });
  return fetch(`http://127.0.0.1:${port}/?profile=dev`, { headers: { ...signed.headers } }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status;
    },
    () => 0,
  );
};

const untilVended = async (port: number): Promise<void> => {
  while ((await vend(port)) !== 200) await new Promise((wake) => setTimeout(wake, 2));
};

const start = (entry: string, port: number, awsUrl: string): Running =>
  startProcess(process.execPath, [entry], {
    ...tvmVariables(port, awsUrl),
    SENTINEL_LOG_LEVEL: 'error',
    SENTINEL_RATE_LIMIT_REQUESTS: '1000000',
  });

/** Milliseconds from spawn to the first vend, of the bundle and of the sources by turns. */
const benchStart = async (bundle: string, awsUrl: string): Promise<void> => {
  const sides = { bundle, sources: 'src/main.ts' };
  const times: Record<keyof typeof sides, number[]> = { bundle: [], sources: [] };
  for (let run = 0; run < RUNS; run += 1) {
    for (const side of ['bundle', 'sources'] as const) {
      const port = await freePort();
      const begun = performance.now();
      const running = start(sides[side], port, awsUrl);
      await untilVended(port);
      times[side].push(performance.now() - begun);
      await running.stop('SIGKILL');
    }
  }
  const [fast, slow] = [median(times.bundle), median(times.sources)];
  say(
    `spawn → first vend, median of ${RUNS}: bundle ${fast.toFixed(0)} ms, sources ${slow.toFixed(0)} ms, ratio ${(fast / slow).toFixed(2)}`,
  );
};

const residentMegabytes = (pid: number | undefined): number | undefined => {
  try {
    const kilobytes = /VmRSS:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
};

/** Resident memory before, half way and after; a leak shows as growth in the second half. */
const benchMemory = async (bundle: string, awsUrl: string, vends: number): Promise<void> => {
  const port = await freePort();
  const running = start(bundle, port, awsUrl);
  await untilVended(port);
  const memory = [residentMegabytes(running.child.pid)];
  const begun = performance.now();
  for (const target of [vends / 2, vends]) {
    let done = target === vends ? vends / 2 : 0;
    const worker = async (): Promise<void> => {
      while (done < target) {
        done += 1;
        const status = await vend(port);
        if (status !== 200) throw new Error(`a vend was answered ${status}: ${running.stderr().slice(-300)}`);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    memory.push(residentMegabytes(running.child.pid));
  }
  const rate = vends / ((performance.now() - begun) / 1000);
  await running.stop();
  const shown = memory.map((value) => (value === undefined ? 'not told here' : `${value.toFixed(0)} MB`)).join(', ');
  say(
    `memory at start, after ${vends / 2}, after ${vends} vends: ${shown} (${rate.toFixed(0)} vends/s with the embedded AWS and the load on the same cores)`,
  );
};

const SESSIONS = 100_000;

const benchSessions = async (): Promise<void> => {
  const bytes = await measureSessionBytes(SESSIONS);
  say(
    `sessions in memory: ${bytes.toFixed(0)} bytes each, ${((bytes * SESSIONS) / 1024 ** 2).toFixed(0)} MB for ${SESSIONS}`,
  );
};

const quantile = (sorted: readonly number[], share: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(0);

const benchRevocation = async (bundle: string, awsUrl: string, trials: number): Promise<void> => {
  for (const instances of [2, 5]) {
    const times = await measureRevocation(bundle, awsUrl, { instances, trials });
    say(
      `revoked on one of ${instances} instances → refused by all, ${trials} trials: median ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms, worst ${quantile(times, 1)} ms`,
    );
  }
};

const option = (name: string, usual: number): number => {
  const at = process.argv.indexOf(name);
  return at === -1 ? usual : Number(process.argv[at + 1]);
};

const main = async (): Promise<void> => {
  const vends = option('--vends', 2_000);
  const trials = option('--trials', 20);
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-tvm-'));
  const bundle = join(directory, 'main.mjs');
  await buildBundle(bundle);
  const aws = await startEmbeddedAws({ port: 0 });
  try {
    await seed({ endpoint: aws.url, region: 'us-east-1', report: () => undefined });
    say(`bundle: ${(statSync(bundle).size / 1024).toFixed(0)} KiB`);
    await benchStart(bundle, aws.url);
    await benchMemory(bundle, aws.url, vends);
    await benchSessions();
    await benchRevocation(bundle, aws.url, trials);
  } finally {
    await aws.close();
    rmSync(directory, { recursive: true, force: true });
  }
};

await main();
