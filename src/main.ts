import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { assemble, type Tvm } from './assemble/tvm.ts';
import { readConfig, type Config } from './config/config.ts';
import { SECOND } from './lib/clock.ts';

/** How the process ends. All times are in milliseconds after the signal. */
type Drain = {
  /** Until then the server accepts connections in any case. */
  readonly grace: number;
  /** After that, it stops accepting once no request but health checks has come for this long. */
  readonly quiet: number;
  /** It stops accepting by then at the latest. */
  readonly limit: number;
  /** Then connections are cut, which leaves time to write what is only in memory. */
  readonly cut: number;
  /** Then the process ends, even in the middle of work. */
  readonly deadline: number;
};

/**
 * A load balancer notices by its health checks that the server is leaving, and sends requests until
 * then. `drain` is how long that takes. After it, late requests have a little time, and so have
 * requests and audit lines that are under way.
 */
function drainOf({ onLambda, drain }: Config): Drain {
  if (onLambda) return DRAIN_ON_LAMBDA;
  return {
    grace: drain,
    quiet: 1 * SECOND,
    limit: drain + 8 * SECOND,
    cut: drain + 12 * SECOND,
    deadline: drain + 15 * SECOND,
  };
}

/** AWS Lambda gives 300 ms between SIGTERM and SIGKILL, and sends no request in that time. */
const DRAIN_ON_LAMBDA: Drain = {
  grace: 0,
  quiet: 0,
  limit: 0,
  cut: 0.2 * SECOND,
  deadline: 0.28 * SECOND,
};

/** Between looks whether the server may stop accepting. */
const LOOK = 0.05 * SECOND;

function fail(sentence: string): never {
  process.stderr.write(`sentinel-tvm: ${sentence}\n`);
  process.exit(1);
}

function listen(tvm: Tvm, { host, port }: Config): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    tvm.server.once('error', reject);
    tvm.server.listen(port, host, () => {
      tvm.server.off('error', reject);
      resolve(tvm.server.address() as AddressInfo);
    });
  });
}

function describeListenError(error: NodeJS.ErrnoException, { host, port }: Config): string {
  return error.code === 'EADDRINUSE'
    ? `port ${port} is taken on ${host}; stop what uses it or set PORT to another.`
    : `cannot listen on ${host}:${port} (${error.code ?? error.message}); set HOST and PORT to an address of this machine.`;
}

function inUrl({ address, family }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]` : address;
}

/** Who can reach the metrics, for the operator: reading them needs no identity. */
function describeReach({ address }: AddressInfo): string {
  return address === '0.0.0.0' || address === '::'
    ? 'on all addresses of this machine, to whoever reaches one; HOST and METRICS_PORT change that'
    : 'to whoever reaches that address; HOST and METRICS_PORT change that';
}

/**
 * Serves the metrics. Only the default port may be in use already, by another instance on this
 * machine.
 */
async function listenForMetrics(
  { metricsServer: server, logger }: Tvm,
  config: Config,
): Promise<void> {
  if (server === undefined) return;
  const { host, metricsPort: port = 0, metricsRequired } = config;
  try {
    server.listen({ port, host });
    await once(server, 'listening');
    const bound = server.address() as AddressInfo;
    const url = `http://${inUrl(bound)}:${bound.port}/metrics`;
    logger.info(
      { host, port: bound.port },
      `metrics are served at ${url}, ${describeReach(bound)}`,
    );
  } catch (error) {
    const sentence = `metrics cannot be served on ${host}:${port} (${(error as NodeJS.ErrnoException).code}); set METRICS_PORT to a free port, or to "off".`;
    if (metricsRequired) fail(sentence);
    logger.warn(sentence);
  }
}

/** Resolves when no further requests are to be expected. */
async function untilQuiet(tvm: Tvm, { grace, quiet, limit }: Drain): Promise<void> {
  const begun = performance.now();
  function waited(): number {
    return performance.now() - begun;
  }
  function lastArrival(): number {
    return Math.max(begun, tvm.lastArrival());
  }
  function isQuiet(): boolean {
    return waited() >= grace && performance.now() - lastArrival() >= quiet;
  }
  while (waited() < limit && !isQuiet()) await sleep(LOOK);
}

/**
 * Ends the process; with 1 and a sentence if audit lines are lost, now or before without a line
 * that says so.
 */
function end(tvm: Tvm, code: number): void {
  const lines = tvm.unwritten();
  if (lines > 0)
    tvm.logger.error(
      { lines },
      'the process ends, and these lines of the audit log are not written',
    );
  process.exit(lines > 0 ? 1 : code);
}

/**
 * Lets requests finish and audit lines be written, then ends the process; at the deadline it ends
 * in any case. Until no more requests come the server goes on accepting, with `/healthz` failing
 * and every answer closing its connection, so that no request on its way is lost.
 */
async function drain(tvm: Tvm, stopReading: AbortController, times: Drain): Promise<void> {
  setTimeout(() => end(tvm, 1), times.deadline).unref();
  let code = 0;
  const cutting = setTimeout(() => {
    code = 1;
    tvm.server.closeAllConnections();
  }, times.cut).unref();

  tvm.logger.info('draining: requests under way finish, then the server ends');
  tvm.startDraining();
  await untilQuiet(tvm, times);

  // Stop accepting, and wait for the requests that are under way.
  await new Promise((resolve) => tvm.server.close(resolve));
  clearTimeout(cutting);
  stopReading.abort();

  // Write what is only in memory. Failures are logged where they occur.
  await tvm.flush().catch(() => undefined);
  end(tvm, code);
}

async function main(): Promise<void> {
  // Read the configuration, and listen.
  const config = readConfig();
  if (!config.ok) return fail(config.refusal);
  const tvm = assemble(config.value, { onMismatch: fail });
  const stopReading = new AbortController();
  const address = await listen(tvm, config.value).catch((error: NodeJS.ErrnoException) =>
    fail(describeListenError(error, config.value)),
  );

  // Ctrl-C reaches the whole process group as SIGINT, and the parent process passes it on as
  // SIGTERM: one of each means to end once. The same signal twice means to end at once.
  let isDraining = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => end(tvm, 1));
      if (!isDraining) void drain(tvm, stopReading, drainOf(config.value));
      isDraining = true;
    });
  }

  // Serve the metrics, and start to read documents and revocations.
  await listenForMetrics(tvm, config.value);
  for (const name of config.value.withoutEffect)
    tvm.logger.warn(`${name} is set, but has no effect in this version`);
  await tvm.start(stopReading.signal);
  process.stderr.write(`listening on http://${inUrl(address)}:${address.port}\n`);
}

await main();
