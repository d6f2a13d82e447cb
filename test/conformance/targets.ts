import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildBundle } from '../../.scripts/build.ts';
import { seed } from '../../src/local/seed.ts';
import { freePort, startProcess, tvmVariables, untilHealthy } from '../support/processes.ts';
import { startDesk, startTvm } from '../support/tvm.ts';
import type { Target } from './suite.ts';

/** The sources, in this process, on the embedded AWS. */
export async function startEmbedded(): Promise<Target> {
  const desk = await startDesk();
  const tvm = await startTvm(desk.url);
  return {
    port: tvm.port,
    awsEndpoint: desk.url,
    close: async () => {
      await tvm.close();
      await desk.close();
    },
  };
}

/** Builds a bundle, and runs it as a process against an AWS that is running. */
async function startBundle(awsEndpoint: string, closeAws: () => Promise<void>): Promise<Target> {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-tvm-'));
  const file = join(directory, 'main.mjs');
  await buildBundle(file);
  const port = await freePort();
  const tvm = startProcess(process.execPath, [file], tvmVariables(port, awsEndpoint));
  await untilHealthy(`http://127.0.0.1:${port}/healthz`, tvm);
  return {
    port,
    awsEndpoint,
    close: async () => {
      await tvm.stop();
      await closeAws();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The bundle on the embedded AWS. */
export async function startBundleOnEmbedded(): Promise<Target> {
  const desk = await startDesk();
  return startBundle(desk.url, desk.close);
}

/** The bundle on moto, an AWS that is not part of this project and that `python3` runs. */
export async function startBundleOnMoto(): Promise<Target> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const moto = startProcess('python3', ['-m', 'moto.server', '-p', String(port)], {});
  await seed({ endpoint, region: 'us-east-1', report: () => undefined });
  return startBundle(endpoint, async () => {
    await moto.stop();
  });
}
