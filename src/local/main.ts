import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SECOND } from '../lib/clock.ts';
import { EMBEDDED_REGION } from './aws/account.ts';
import { startEmbeddedAws, type EmbeddedAws } from './aws/server.ts';
import { readPorts, seedSettings, tvmEnvironment, type Ports } from './environment.ts';
import { startDeskReceiver } from './receiver.ts';
import { recipes } from './recipes.ts';
import { seed } from './seed.ts';

const HOST = '127.0.0.1';
const TVM = resolve(import.meta.dirname, '../main.ts');

/**
 * How long the TVM may take to end after SIGTERM before it is killed: longer than it takes to
 * drain.
 */
const DRAIN_LIMIT = 30 * SECOND;

function say(text: string): void {
  process.stderr.write(text);
}

/**
 * Whether a port is free. It is checked before anything starts, so that the sentence can name the
 * variable.
 */
function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const probe = createServer();
    probe.once('error', () => settle(false));
    probe.listen(port, HOST, () => probe.close(() => settle(true)));
  });
}

async function requireFree(port: number, variable: string): Promise<void> {
  if (await isFree(port)) return;
  throw new Error(
    `Port ${port} on ${HOST} is not free, probably because another program uses it; set ${variable} to another port.`,
  );
}

async function startAws(ports: Ports): Promise<EmbeddedAws> {
  const aws = await startEmbeddedAws({ host: HOST, port: ports.aws });
  let made = 0;
  function report(): void {
    made += 1;
  }
  await seed({ endpoint: aws.url, region: EMBEDDED_REGION, ...seedSettings(process.env), report });
  say(`The embedded AWS listens on ${aws.url}, with ${made} demo tables and documents.\n`);
  return aws;
}

/**
 * Starts the TVM as a process of its own, as in production. Only its environment says that its AWS
 * is local.
 */
function startTvm(ports: Ports, webhookUrl: string): ChildProcess {
  return spawn(process.execPath, [TVM], {
    env: tvmEnvironment(process.env, ports, webhookUrl),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** Resolves with the exit code for this process. */
function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((settle, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      settle(code ?? 128 + (signal === null ? 1 : constants.signals[signal])),
    );
  });
}

async function isHealthy(ports: Ports): Promise<boolean> {
  try {
    const response = await fetch(`http://${HOST}:${ports.tvm}/healthz`, {
      signal: AbortSignal.timeout(SECOND),
    });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
}

async function announce(ports: Ports, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    if (await isHealthy(ports)) {
      say(recipes(ports, process.platform));
      return;
    }
    await sleep(SECOND / 10);
  }
}

/**
 * `npm run local`: the embedded AWS with demo documents, and the TVM that uses it, until the TVM
 * ends or a signal comes.
 */
async function main(): Promise<number> {
  const ports = readPorts(process.env);
  if (!ports.ok) throw new Error(ports.refusal);
  await requireFree(ports.value.aws, 'AWS_PORT');
  await requireFree(ports.value.tvm, 'PORT');

  const aws = await startAws(ports.value);
  const receiver = await startDeskReceiver((line) => say(`${line}\n`));
  const child = startTvm(ports.value, receiver.url);

  // End the TVM once on any signal.
  const ended = new AbortController();
  let stopping = false;
  function stop(): void {
    // On Ctrl-C the terminal signals every process of the group, and the entry script passes it on:
    // react once.
    if (stopping) return;
    stopping = true;
    ended.abort();
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), DRAIN_LIMIT).unref();
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);

  // Print the recipes once the TVM is healthy, and wait for its end.
  void announce(ports.value, ended.signal);
  try {
    const code = await exitOf(child);
    return stopping ? 0 : code;
  } finally {
    ended.abort();
    await receiver.close();
    await aws.close();
  }
}

try {
  process.exit(await main());
} catch (cause) {
  say(`${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exit(1);
}
