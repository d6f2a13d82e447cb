import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { actBy, approveBy, askBy, idOf, vendBy } from '../support/approvals.ts';
import { freePort, startProcess, tvmVariables, untilHealthy } from '../support/processes.ts';

const { alice, bob } = DEMO_CLIENTS;

/**
 * The times from the answer to an approval on one instance until another one has vended by it,
 * sorted: `trials` of them, with two instances of a bundle on one table. The vend is tried again
 * until it works.
 */
export async function measureApproval(
  bundle: string,
  awsUrl: string,
  { trials }: { readonly trials: number },
): Promise<readonly number[]> {
  const ports = [await freePort(), await freePort()] as const;
  const running = ports.map((port) =>
    startProcess(process.execPath, [bundle], {
      ...tvmVariables(port, awsUrl),
      SENTINEL_LOG_LEVEL: 'error',
      SENTINEL_RATE_LIMIT_REQUESTS: '1000000',
    }),
  );
  const [first, other] = ports.map((port) => ({ host: `127.0.0.1:${port}`, port }));
  if (first === undefined || other === undefined) throw new Error('an instance is missing');
  const times: number[] = [];
  try {
    await Promise.all(
      running.map((one, n) => untilHealthy(`http://127.0.0.1:${ports[n]}/healthz`, one)),
    );
    for (let trial = 0; trial < trials; trial += 1) {
      const id = idOf(
        await askBy(first, alice, 'prod', { justification: `trial ${trial} of the bench` }),
      );
      const approved = await approveBy(first, bob, id);
      if (approved.status !== 200) throw new Error(`not approved: ${approved.body}`);
      const begun = performance.now();
      while ((await vendBy(other, alice, 'prod')).status !== 200)
        await new Promise((wake) => setTimeout(wake, 5));
      times.push(performance.now() - begun);
      await actBy(first, alice, [id, 'end'], { reason: 'the trial is over' });
    }
  } finally {
    for (const one of running) await one.stop('SIGKILL');
  }
  return times.toSorted((a, b) => a - b);
}
