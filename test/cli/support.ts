import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { afterAll } from 'vitest';
import { readArguments } from '../../src/cli/arguments.ts';
import type { ConnectionFlags } from '../../src/cli/connection-flags.ts';
import { ok } from '../../src/lib/result.ts';
import { bareEnvironment } from '../local/support.ts';
import { ROOT } from '../support/processes.ts';

/** What a run of the program left behind. */
export type Run = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export const PROGRAM = join(ROOT, '.scripts', 'sentinel-tvm.mjs');

/** dana's static key, as variables of the environment. */
export const DANA = {
  AWS_ACCESS_KEY_ID: 'AKIADEMODANA0000',
  AWS_SECRET_ACCESS_KEY: 'demo-dana-not-a-secret',
};

/** Runs a program with nothing of this machine's AWS settings, and reads what it writes. */
export async function runProgram(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  program = PROGRAM,
): Promise<Run> {
  const env = { ...bareEnvironment(), AWS_EC2_METADATA_DISABLED: 'true', ...environment };
  const child = spawn(process.execPath, [program, ...args], { env, cwd: tmpdir() });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** A directory that is gone after the file's tests. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-tvm-cli-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function writeText(directory: string, name: string, text: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode });
  return path;
}

/** A request as a server that is no TVM saw it. */
export type Seen = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};

/** A server that answers as a test tells it to. */
export type Stranger = {
  readonly url: string;
  readonly seen: Seen[];
  readonly close: () => Promise<void>;
};

/** Starts one; `answer` gets each request once it is read whole, with its number. */
export async function startStranger(
  answer: (request: Seen, response: ServerResponse, number: number) => void,
): Promise<Stranger> {
  const seen: Seen[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      const request = { method, url, headers, body: Buffer.concat(chunks).toString() };
      seen.push(request);
      answer(request, response, seen.length);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers with JSON. */
export function answerJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(value));
}

/** A key of a TVM that nobody minted; it lives an hour. */
export function strangersKey(id = 'TVMKAAAAAAAAAAAAAAAA') {
  return {
    Version: 1,
    AccessKeyId: id,
    SecretAccessKey: 'a-minted-secret-of-the-test',
    SessionToken: 'TVM1.k.a-minted-token-of-the-test',
    Expiration: `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`,
  };
}

/** What a command line asks for, as data: the command's name, and what its flags came to. */
export function understand(argv: readonly string[]) {
  const read = readArguments(argv);
  return read.ok ? ok({ name: read.value.name, ...read.value.input }) : read;
}

/** The flags that say which TVM is asked and by whom, of which these are given. */
export function connectionFlags(given: Partial<ConnectionFlags>): ConnectionFlags {
  return {
    url: undefined,
    serverId: undefined,
    region: undefined,
    stsRegion: undefined,
    sourceProfile: undefined,
    front: undefined,
    service: undefined,
    registeredKey: false,
    loginFile: undefined,
    ...given,
  };
}
