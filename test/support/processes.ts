import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { bareEnvironment } from '../local/support.ts';

/** The directory of the repository. */
export const ROOT = resolve(import.meta.dirname, '..', '..');

/** A port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A program that runs as a child process. */
export type Running = {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /**
   * Sends a signal, by default SIGTERM, and resolves to the exit code, or null if a signal ended
   * it.
   */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>;
};

/**
 * Starts a program in the repository, without the AWS settings of this machine in its environment.
 */
export function startProcess(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Running {
  const child = spawn(command, args, { cwd: ROOT, env: { ...bareEnvironment(), ...environment } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = once(child, 'exit') as Promise<[number | null]>;
  return {
    child,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      return (await ended)[0];
    },
  };
}

/**
 * Waits until a URL answers 200; rejects after a minute, or when the program ends, with the
 * program's stderr.
 */
export async function untilHealthy(
  url: string,
  running: Pick<Running, 'child' | 'stderr'>,
): Promise<void> {
  const end = Date.now() + 60_000;
  while (Date.now() < end && running.child.exitCode === null) {
    const healthy = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) return;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new Error(`${url} does not answer 200: ${running.stderr()}`);
}

/** The environment of a TVM with a local AWS. */
export function tvmVariables(port: number, awsEndpoint: string): Record<string, string> {
  return {
    PORT: String(port),
    HOST: '127.0.0.1',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: awsEndpoint,
    AWS_ACCESS_KEY_ID: 'AKIADEMOTVM00000',
    AWS_SECRET_ACCESS_KEY: 'demo-tvm-not-a-secret',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}
