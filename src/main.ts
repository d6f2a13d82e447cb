import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { assemble, type Tvm } from './assemble/tvm.ts';
import { readConfig, type Config } from './config/config.ts';
import { SECOND } from './lib/clock.ts';

/** How a process ends, in milliseconds from the signal on. */
type Drain = {
  /** Before this the door stays open, whoever comes or not. */
  readonly grace: number;
  /** After it, the door closes once nobody but health checks has come for so long, since the signal. */
  readonly quiet: number;
  /** The door closes after this at the latest. */
  readonly limit: number;
  /** Then connections are cut, so that there is time to write what is only in memory. */
  readonly cut: number;
  /** Then the process ends, whatever is under way. */
  readonly deadline: number;
};

/**
 * A load balancer learns from its health checks that the server is leaving, and goes on sending until then, however seldom:
 * `drain` is how long that takes it. Then whoever still comes has a little time, and requests and audit lines under way.
 */
function drainOf({ onLambda, drain }: Config): Drain {
  return onLambda
    ? DRAIN_ON_LAMBDA
    : {
        grace: drain,
        quiet: 1 * SECOND,
        limit: drain + 8 * SECOND,
        cut: drain + 12 * SECOND,
        deadline: drain + 15 * SECOND,
      };
}

/** AWS Lambda leaves 300 ms between SIGTERM and SIGKILL, and sends nothing more. */
const DRAIN_ON_LAMBDA: Drain = { grace: 0, quiet: 0, limit: 0, cut: 0.2 * SECOND, deadline: 0.28 * SECOND };

/** How often the door looks whether it may close. */
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

/** Who reaches a server, for its operator: nobody has to prove who they are to read metrics. */
function describeReach({ address }: AddressInfo): string {
  return address === '0.0.0.0' || address === '::'
    ? 'on all addresses of this machine, to whoever reaches one; HOST and METRICS_PORT change that'
    : 'to whoever reaches that address; HOST and METRICS_PORT change that';
}

/** Serves the metrics; a port that only the default names may be taken, by another instance of this machine. */
async function listenForMetrics({ metricsServer: server, logger }: Tvm, config: Config): Promise<void> {
  if (server === undefined) return;
  const { host, metricsPort: port = 0, metricsRequired } = config;
  try {
    server.listen({ port, host });
    await once(server, 'listening');
    const bound = server.address() as AddressInfo;
    const url = `http://${inUrl(bound)}:${bound.port}/metrics`;
    logger.info({ host, port: bound.port }, `metrics are served at ${url}, ${describeReach(bound)}`);
  } catch (error) {
    const sentence = `metrics cannot be served on ${host}:${port} (${(error as NodeJS.ErrnoException).code}); set METRICS_PORT to a free port, or to "off".`;
    if (metricsRequired) fail(sentence);
    logger.warn(sentence);
  }
}

/** Resolves when nobody is to be expected any more. */
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

/** Ends the process; with 1, and a sentence, if audit lines are lost by it, or were and no line tells of them. */
function end(tvm: Tvm, code: number): void {
  const lines = tvm.unwritten();
  if (lines > 0) tvm.logger.error({ lines }, 'the process ends, and these lines of the audit log are not written');
  process.exit(lines > 0 ? 1 : code);
}

/**
 * Lets requests under way finish and audit lines be written, then ends; the deadline ends at once. Until it is quiet the
 * server goes on accepting, with `/healthz` off and every answer closing its connection: a request that was on its way is
 * not lost to a closed door.
 */
async function drain(tvm: Tvm, stopReading: AbortController, home: Drain): Promise<void> {
  setTimeout(() => end(tvm, 1), home.deadline).unref();
  let code = 0;
  const cutting = setTimeout(() => {
    code = 1;
    tvm.server.closeAllConnections();
  }, home.cut).unref();
  tvm.logger.info('draining: requests under way finish, then the server ends');
  tvm.startDraining();
  await untilQuiet(tvm, home);
  await new Promise((resolve) => tvm.server.close(resolve));
  clearTimeout(cutting);
  stopReading.abort();
  // What goes wrong here has been logged.
  await tvm.flush().catch(() => undefined);
  end(tvm, code);
}

async function main(): Promise<void> {
  const config = readConfig();
  if (!config.ok) return fail(config.refusal);
  const tvm = assemble(config.value, { onMismatch: fail });
  const stopReading = new AbortController();
  const address = await listen(tvm, config.value).catch((error: NodeJS.ErrnoException) =>
    fail(describeListenError(error, config.value)),
  );
  // A terminal's Ctrl-C reaches the whole group, and whoever started this process passes it on as SIGTERM: one of each is
  // one wish. The same signal twice means at once.
  let isDraining = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => end(tvm, 1));
      if (!isDraining) void drain(tvm, stopReading, drainOf(config.value));
      isDraining = true;
    });
  }
  await listenForMetrics(tvm, config.value);
  for (const name of config.value.withoutEffect) tvm.logger.warn(`${name} is set, but has no effect in this version`);
  await tvm.start(stopReading.signal);
  process.stderr.write(`listening on http://${inUrl(address)}:${address.port}\n`);
}

await main();
