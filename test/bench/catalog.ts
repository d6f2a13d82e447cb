import { fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { DEMO_TVM_KEY } from '../../src/local/aws/account.ts';
import { startEmbeddedAws } from '../../src/local/aws/server.ts';
import { createCatalogReader } from '../support/catalog.ts';

/** Half of the parameters are profiles, half are their policies, of ten rules each. */
const RULES = 10;
const WRITERS = 16;

const POLICY = JSON.stringify({
  version: '1',
  rules: Array.from({ length: RULES }, (_, index) => ({
    name: `rule-${index}`,
    effect: 'allow',
    conditions: {
      users: [`user-${index}`, 'alice'],
      time: { hours: { start: '08:00', end: '18:00' } },
    },
    reason: 'measured',
  })),
});
const PROFILE = '{"role_arn":"arn:aws:iam::000000000000:role/SentinelProtected-dev"}';

function clientOf(endpoint: string): SSMClient {
  return new SSMClient({ endpoint, region: 'us-east-1', credentials: DEMO_TVM_KEY });
}

function put(ssm: SSMClient, name: string, value: string): Promise<unknown> {
  return ssm.send(
    new PutParameterCommand({
      Name: name,
      Value: value,
      Type: 'String',
      Tier: 'Advanced',
      Overwrite: true,
    }),
  );
}

/** Runs the AWS in a process of its own, so that its work does not count as the catalog's. */
async function serveAws(parameters: number): Promise<void> {
  const { url } = await startEmbeddedAws({ port: 0 });
  const ssm = clientOf(url);
  let next = 0;
  async function write(): Promise<void> {
    while (next < parameters / 2) {
      const profile = `p-${(next += 1)}`;
      await put(ssm, `/sentinel/policies/${profile}`, POLICY);
      await put(ssm, `/sentinel/profiles/${profile}`, PROFILE);
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, write));
  process.send?.(url);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serveAws(Number(process.argv[2]));

/** What one reading took, in milliseconds. */
export type Cost = {
  /** By the clock. */
  readonly time: number;
  /** CPU time of this thread. */
  readonly cpu: number;
  /** CPU time of this thread in its longest turn of the event loop. */
  readonly longestTurn: number;
  /**
   * The longest stall of the event loop by the clock; on a busy machine this includes other
   * processes' time.
   */
  readonly stall: number;
};

function cpuMs({ user, system }: { readonly user: number; readonly system: number }): number {
  return (user + system) / 1_000;
}

async function costOf(run: () => Promise<unknown>): Promise<Cost> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const begunCpu = cpuMs(process.threadCpuUsage());
  let [last, longestTurn] = [begunCpu, 0];
  const timer = setInterval(() => {
    const now = cpuMs(process.threadCpuUsage());
    longestTurn = Math.max(longestTurn, now - last);
    last = now;
  }, 1);
  const begun = performance.now();
  delay.enable();
  await run();
  delay.disable();
  clearInterval(timer);
  const cpu = cpuMs(process.threadCpuUsage()) - begunCpu;
  return { time: performance.now() - begun, cpu, longestTurn, stall: delay.max / 1e6 };
}

/**
 * Measures the first load, a reading after no change, and one after a change, with this many
 * parameters.
 */
export async function measureCatalog(parameters: number): Promise<Readonly<Record<string, Cost>>> {
  process.env['AWS_ACCESS_KEY_ID'] = DEMO_TVM_KEY.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = DEMO_TVM_KEY.secretAccessKey;
  const aws = fork(fileURLToPath(import.meta.url), [String(parameters)]);
  const [url] = (await once(aws, 'message')) as [string];
  const ssm = clientOf(url);
  const catalog = createCatalogReader(url);
  const first = await costOf(catalog.load);
  const unchanged = await costOf(catalog.load);
  await put(ssm, '/sentinel/policies/p-1', POLICY.replace('measured', 'changed'));
  const changed = await costOf(catalog.load);
  aws.kill();
  ssm.destroy();
  catalog.close();
  return { first, unchanged, changed };
}
