import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { freePort, ROOT, startProcess, tvmVariables, type Running } from '../support/processes.ts';
import { sign } from '../support/sign.ts';

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

let nonce = 0;

/** Sends one signed vend, and gives the status, 0 if nothing listens. */
export async function vend(port: number): Promise<number> {
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
}

/**
 * How long a start may take. It is longer than any start, and ends the bench when a server cannot
 * start.
 */
const PATIENCE = 60_000;

/** Vends until a vend succeeds; throws with the server's last words if none does in time. */
export async function untilVended(port: number, running: Running): Promise<void> {
  const end = performance.now() + PATIENCE;
  while ((await vend(port)) !== 200) {
    if (performance.now() > end || running.child.exitCode !== null) {
      throw new Error(`a server has not vended: ${running.stderr().slice(-300)}`);
    }
    await new Promise((wake) => setTimeout(wake, 2));
  }
}

/**
 * Starts a TVM with these arguments of Node, and without a low rate limit or log lines that would
 * disturb a measurement.
 */
export function startServer(
  command: readonly string[],
  port: number,
  awsUrl: string,
  environment: Readonly<Record<string, string>> = {},
): Running {
  return startProcess(process.execPath, command, {
    ...tvmVariables(port, awsUrl),
    // Any free port, because the default may be taken; not `off`, because opening this port is part
    // of a start.
    METRICS_PORT: '0',
    SENTINEL_LOG_LEVEL: 'error',
    SENTINEL_RATE_LIMIT_REQUESTS: '1000000',
    ...environment,
  });
}

/** Fills a compile cache for a bundle, as the build of the image does, and gives its directory. */
function warm(bundle: string, directory: string): string {
  const cache = join(directory, 'cache');
  const { status, stderr } = spawnSync(
    process.execPath,
    [join('.scripts', 'warm.ts'), cache, '--enable-source-maps', bundle],
    { cwd: ROOT, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the compile cache could not be filled: ${stderr.slice(-300)}`);
  return cache;
}

const SIDES = ['sources', 'bundle', 'warm'] as const;

/**
 * The median milliseconds from spawn to the first vend, for the sources, the bundle, and the bundle
 * with the compile cache that the image has. They take turns, so that other load on the machine
 * affects all three alike.
 */
export async function measureStarts(
  {
    bundle,
    directory,
    awsUrl,
  }: { readonly bundle: string; readonly directory: string; readonly awsUrl: string },
  runs: number,
): Promise<Readonly<Record<(typeof SIDES)[number], number>>> {
  const uncached = { NODE_DISABLE_COMPILE_CACHE: '1' };
  // The image's flags, because a cache serves only the command that filled it.
  const bundled = ['--enable-source-maps', bundle];
  const sides = {
    sources: { command: ['src/main.ts'], environment: uncached },
    bundle: { command: bundled, environment: uncached },
    warm: { command: bundled, environment: { NODE_COMPILE_CACHE: warm(bundle, directory) } },
  };
  const times: Record<(typeof SIDES)[number], number[]> = { sources: [], bundle: [], warm: [] };
  for (let run = 0; run < runs; run += 1) {
    for (const side of SIDES) {
      const port = await freePort();
      const begun = performance.now();
      const running = startServer(sides[side].command, port, awsUrl, sides[side].environment);
      await untilVended(port, running);
      times[side].push(performance.now() - begun);
      // SIGKILL, because a server that ends in order would write its cache again.
      await running.stop('SIGKILL');
    }
  }
  return { sources: median(times.sources), bundle: median(times.bundle), warm: median(times.warm) };
}
