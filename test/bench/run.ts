import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBundle } from '../../.scripts/build.ts';
import { startEmbeddedAws } from '../../src/local/aws/server.ts';
import { seed } from '../../src/local/seed.ts';
import { freePort } from '../support/processes.ts';
import { measureApproval } from './approvals.ts';
import { measureCatalog } from './catalog.ts';
import { measureRevocation } from './revocation.ts';
import { measureSessionBytes } from './sessions.ts';
import { describeBundle, describeImage } from './sizes.ts';
import { measureStarts, startServer, untilVended, vend } from './start.ts';

/**
 * `npm run bench` measures starts, memory, revocation and the reading of documents, and compares
 * them in one run on one machine. Nothing here is a test, because another machine gives other
 * numbers.
 *
 * `--starts N`: starts of each kind (11); `--vends N`: vends while memory is measured (2,000);
 * `--trials N`: timed revocations (20); `--approvals N`: timed approvals (200); `--parameters N`:
 * documents to read (1,000).
 */
const CONCURRENCY = 16;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/**
 * Compares the time from spawn to the first vend: the sources, the bundle, and the bundle with its
 * compile cache.
 */
async function benchStart(
  bundle: string,
  directory: string,
  awsUrl: string,
  runs: number,
): Promise<void> {
  const { sources, bundle: cold, warm } = await measureStarts({ bundle, directory, awsUrl }, runs);
  function of(side: number, other: number): string {
    return (side / other).toFixed(2);
  }
  say(
    `spawn → first vend, median of ${runs}: sources ${sources.toFixed(0)} ms; bundle ${cold.toFixed(0)} ms, ratio ${of(cold, sources)}; bundle with its compile cache ${warm.toFixed(0)} ms, ratio ${of(warm, sources)} (${of(warm, cold)} of the bundle without)`,
  );
}

function residentMegabytes(pid: number | undefined): number | undefined {
  try {
    const kilobytes = /VmRSS:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}

/**
 * Measures resident memory at the start, half way and at the end; a leak shows as growth in the
 * second half.
 */
async function benchMemory(bundle: string, awsUrl: string, vends: number): Promise<void> {
  const port = await freePort();
  const running = startServer([bundle], port, awsUrl);
  await untilVended(port, running);
  const memory = [residentMegabytes(running.child.pid)];
  const begun = performance.now();
  for (const target of [vends / 2, vends]) {
    let done = target === vends ? vends / 2 : 0;
    async function worker(): Promise<void> {
      while (done < target) {
        done += 1;
        const status = await vend(port);
        if (status !== 200)
          throw new Error(`a vend was answered ${status}: ${running.stderr().slice(-300)}`);
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    memory.push(residentMegabytes(running.child.pid));
  }
  const rate = vends / ((performance.now() - begun) / 1000);
  await running.stop();
  const shown = memory
    .map((value) => (value === undefined ? 'not told here' : `${value.toFixed(0)} MB`))
    .join(', ');
  say(
    `memory at start, after ${vends / 2}, after ${vends} vends: ${shown} (${rate.toFixed(0)} vends/s with the embedded AWS and the load on the same cores)`,
  );
}

const SESSIONS = 100_000;

async function benchSessions(): Promise<void> {
  const bytes = await measureSessionBytes(SESSIONS);
  say(
    `sessions in memory: ${bytes.toFixed(0)} bytes each, ${((bytes * SESSIONS) / 1024 ** 2).toFixed(0)} MB for ${SESSIONS}`,
  );
}

function quantile(sorted: readonly number[], share: number): string {
  return (
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  ).toFixed(0);
}

async function benchRevocation(bundle: string, awsUrl: string, trials: number): Promise<void> {
  for (const instances of [2, 5]) {
    const times = await measureRevocation(bundle, awsUrl, { instances, trials });
    say(
      `revoked on one of ${instances} instances → refused by all, ${trials} trials: median ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms, worst ${quantile(times, 1)} ms`,
    );
  }
}

async function benchApproval(bundle: string, awsUrl: string, trials: number): Promise<void> {
  const times = await measureApproval(bundle, awsUrl, { trials });
  say(
    `approved on one instance → vended by another, ${trials} trials: median ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms, worst ${quantile(times, 1)} ms`,
  );
}

async function benchCatalog(parameters: number): Promise<void> {
  for (const [what, { time, cpu, longestTurn, stall }] of Object.entries(
    await measureCatalog(parameters),
  )) {
    say(
      `documents, ${parameters} parameters, ${what}: ${time.toFixed(0)} ms, of them CPU ${cpu.toFixed(0)} ms, in one turn of the event loop at most ${longestTurn.toFixed(1)} ms (longest stall by the clock ${stall.toFixed(1)} ms)`,
    );
  }
}

function option(name: string, usual: number): number {
  const at = process.argv.indexOf(name);
  return at === -1 ? usual : Number(process.argv[at + 1]);
}

async function main(): Promise<void> {
  const starts = option('--starts', 11);
  const vends = option('--vends', 2_000);
  const trials = option('--trials', 20);
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-tvm-'));
  const bundle = join(directory, 'main.mjs');
  await buildBundle(bundle);
  say(describeBundle(bundle));
  say(describeImage());
  const aws = await startEmbeddedAws({ port: 0 });
  try {
    await seed({ endpoint: aws.url, region: 'us-east-1', report: () => undefined });
    await benchStart(bundle, directory, aws.url, starts);
    await benchMemory(bundle, aws.url, vends);
    await benchSessions();
    await benchRevocation(bundle, aws.url, trials);
    await benchApproval(bundle, aws.url, option('--approvals', 200));
    await benchCatalog(option('--parameters', 1_000));
  } finally {
    await aws.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

await main();
