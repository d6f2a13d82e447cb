import { existsSync, readdirSync } from 'node:fs';
import { freePort, startProcess, type Running } from './processes.ts';

const JARS = process.env['DYNAMODB_LOCAL'] ?? '';

const MAIN = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner';

/** How long a start may take, because Java needs seconds on a busy machine. */
const PATIENCE = 45_000;
const PAUSE = 50;

/** Why tests against DynamoDB Local cannot run here; undefined if they can. Prints the reason. */
export function lacksDynamoDbLocal(): string | undefined {
  const isThere =
    existsSync(JARS) && readdirSync(JARS).some((name) => /^DynamoDBLocal-.+\.jar$/u.test(name));
  if (isThere) return undefined;
  const reason =
    'skipped: DYNAMODB_LOCAL names no directory with the jars of DynamoDB Local (.ci/dynamodb-local)';
  process.stderr.write(`${reason}\n`);
  return reason;
}

/**
 * Whether anything answers. To an unsigned request DynamoDB answers with an error, which counts.
 */
function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    () => true,
    () => false,
  );
}

async function untilItAnswers(url: string, { child, stderr }: Running): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (Date.now() < end && child.exitCode === null && child.signalCode === null) {
    if (await answers(url)) return;
    await new Promise((wake) => setTimeout(wake, PAUSE));
  }
  throw new Error(`DynamoDB Local does not answer: ${stderr()}`);
}

/** A running DynamoDB Local, which keeps everything in memory. */
export type DynamoDbLocal = { readonly url: string; readonly close: () => Promise<void> };

/** Starts DynamoDB Local on a free port; rejects with its stderr if it does not answer in time. */
export async function startDynamoDbLocal(): Promise<DynamoDbLocal> {
  const port = await freePort();
  // Telemetry would call AWS and write a file into the working directory.
  const options = ['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)];
  const java = ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-cp', `${JARS}/*`, MAIN, ...options];
  const running = startProcess('java', java, {});
  const url = `http://127.0.0.1:${port}`;
  function kill(): void {
    running.child.kill('SIGKILL');
  }
  async function close(): Promise<void> {
    process.off('exit', kill);
    // SIGKILL, because it is slow to obey SIGTERM and has nothing to save.
    await running.stop('SIGKILL');
  }
  process.once('exit', kill);
  try {
    await untilItAnswers(url, running);
  } catch (cause) {
    await close();
    throw cause;
  }
  return { url, close };
}
