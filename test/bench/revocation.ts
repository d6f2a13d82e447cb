import { freePort, startProcess, tvmVariables, untilHealthy } from '../support/processes.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { sign } from '../support/sign.ts';

/** alice is the default of `sign`. */
const ALICE = {};
const OLIVIA = { accessKeyId: 'TVMDEMOOLIVIA', secret: 'demo-olivia-not-a-secret' };

let nonce = 0;

type Ask = { readonly method: string; readonly path: string; readonly body?: string };

/** Sends a request signed by `who` to the instance on `port`. */
function send(port: number, who: object, { method, path, body = '' }: Ask): Promise<RawAnswer> {
  nonce += 1;
  const headers = { 'content-type': 'application/json', 'x-sentinel-nonce': `revocation-${nonce}` };
  const signed = sign({ host: `127.0.0.1:${port}`, method, path, headers, body, ...who });
  return sendRaw(port, { method, target: path, headers: signed.headers, body });
}

async function statusOf(port: number): Promise<number> {
  return (await send(port, ALICE, { method: 'GET', path: '/whoami' })).status;
}

/** Milliseconds until the instances on all ports answer alice with this status. */
async function until(ports: readonly number[], status: number): Promise<number> {
  const begun = performance.now();
  await Promise.all(
    ports.map(async (port) => {
      while ((await statusOf(port)) !== status) await new Promise((wake) => setTimeout(wake, 10));
    }),
  );
  return performance.now() - begun;
}

/**
 * The times from the answer to an operator's revocation until the last of the other instances
 * refuses, sorted: `trials` of them, with `instances` instances of a bundle on one table.
 */
export async function measureRevocation(
  bundle: string,
  awsUrl: string,
  { instances, trials }: { readonly instances: number; readonly trials: number },
): Promise<readonly number[]> {
  const ports = await Promise.all(Array.from({ length: instances }, freePort));
  const running = ports.map((port) =>
    startProcess(process.execPath, [bundle], {
      ...tvmVariables(port, awsUrl),
      SENTINEL_LOG_LEVEL: 'error',
      SENTINEL_RATE_LIMIT_REQUESTS: '1000000',
    }),
  );
  const times: number[] = [];
  try {
    await Promise.all(
      ports.map((port, n) =>
        untilHealthy(`http://127.0.0.1:${port}/healthz`, running[n] ?? fail()),
      ),
    );
    const [first = 0, ...others] = ports;
    for (let trial = 0; trial < trials; trial += 1) {
      // Revoke at any moment between two readings of the others.
      await new Promise((wake) => setTimeout(wake, Math.random() * 900));
      const body = JSON.stringify({ kind: 'user', value: 'alice', reason: 'a trial of the bench' });
      const { json } = await send(first, OLIVIA, { method: 'POST', path: '/revocations', body });
      times.push(await until(others, 403));
      await send(first, OLIVIA, { method: 'DELETE', path: `/revocations/${String(json['id'])}` });
      await until(others, 200);
    }
  } finally {
    for (const one of running) await one.stop('SIGKILL');
  }
  return times.toSorted((a, b) => a - b);
}

function fail(): never {
  throw new Error('an instance is missing');
}
