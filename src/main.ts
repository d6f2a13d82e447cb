import type { AddressInfo } from 'node:net';
import { assemble, type Tvm } from './assemble.ts';
import { readConfig, type Config } from './config.ts';
import { SECOND } from './lib/clock.ts';

/** Below the 30 s that ECS grants between SIGTERM and SIGKILL by default. */
const DRAIN_DEADLINE = 25 * SECOND;

/** AWS Lambda leaves 300 ms between SIGTERM and SIGKILL; this and the requests under way must fit. */
const DRAIN_GRACE = 200;

const fail = (sentence: string): never => {
  process.stderr.write(`sentinel-tvm: ${sentence}\n`);
  process.exit(1);
};

const listen = (tvm: Tvm, { host, port }: Config): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    tvm.server.once('error', reject);
    tvm.server.listen(port, host, () => {
      tvm.server.off('error', reject);
      resolve(tvm.server.address() as AddressInfo);
    });
  });

const describeListenError = (error: NodeJS.ErrnoException, { host, port }: Config): string =>
  error.code === 'EADDRINUSE'
    ? `port ${port} is taken on ${host}; stop what uses it or set PORT to another.`
    : `cannot listen on ${host}:${port} (${error.code ?? error.message}); set HOST and PORT to an address of this machine.`;

/**
 * Lets requests under way finish, then ends; the deadline ends at once. For a moment the server goes on accepting, with
 * `/healthz` off and every answer closing its connection: a request that was on its way is not lost to a closed door.
 */
const drain = (tvm: Tvm, stopReading: AbortController): void => {
  if (stopReading.signal.aborted) return;
  tvm.logger.info('draining: requests under way finish, then the server ends');
  tvm.startDraining();
  stopReading.abort();
  setTimeout(() => process.exit(1), DRAIN_DEADLINE).unref();
  setTimeout(() => tvm.server.close(() => void tvm.flush().finally(() => process.exit(0))), DRAIN_GRACE);
};

const main = async (): Promise<void> => {
  const config = readConfig();
  if (!config.ok) return fail(config.refusal);
  const tvm = assemble(config.value);
  const stopReading = new AbortController();
  const address = await listen(tvm, config.value).catch((error: NodeJS.ErrnoException) =>
    fail(describeListenError(error, config.value)),
  );
  // A terminal's Ctrl-C reaches the whole group, and whoever started this process passes it on as SIGTERM: one of each is
  // one wish. The same signal twice means at once.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(1));
      drain(tvm, stopReading);
    });
  }
  for (const name of config.value.withoutEffect) tvm.logger.warn(`${name} is set, but has no effect in this version`);
  await tvm.start(stopReading.signal);
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  process.stderr.write(`listening on http://${host}:${address.port}\n`);
};

await main();
