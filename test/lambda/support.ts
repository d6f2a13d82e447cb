import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect } from 'vitest';
import { eventOf, type Front } from './events.ts';
import { freePort, startProcess, tvmVariables, type Running } from '../support/processes.ts';
import { startRuntimeApi, type LambdaAnswer, type RuntimeApi } from '../support/runtime-api.ts';

const PARTS = process.env['LAMBDA_PARTS'] ?? '';

const ADAPTER = join(PARTS, 'lambda-adapter');

/** AWS's Runtime Interface Emulator, which runs a container as a Lambda function. */
export const EMULATOR = join(PARTS, 'aws-lambda-rie');

function lacksPart(file: string, what: string): string | undefined {
  if (PARTS !== '' && existsSync(file)) return undefined;
  const reason = `skipped: LAMBDA_PARTS names no directory with ${basename(file)}, ${what}, in it`;
  process.stderr.write(`${reason}\n`);
  return reason;
}

/**
 * Why tests that need the Lambda Web Adapter cannot run here; undefined if they can. The reason is
 * printed once.
 */
export function lacksAdapter(): string | undefined {
  return lacksPart(ADAPTER, 'the AWS Lambda Web Adapter');
}

/** The same for tests that need the emulator. */
export function lacksEmulator(): string | undefined {
  return lacksPart(EMULATOR, 'AWS’s Lambda Runtime Interface Emulator');
}

type Json = Readonly<Record<string, unknown>>;

/** An answer of the TVM, as the front gives it to the caller. */
export type Reply = {
  readonly status: number;
  /** By lower-case name, from the field that the front reads. */
  readonly headers: Readonly<Record<string, string>>;
  readonly json: Json;
  /** Status and error name, which every refusal has. */
  readonly result: readonly [status: number, error: unknown];
};

/** An execution environment of Lambda: the service's API, the adapter, and the TVM behind it. */
export type Lambda = Pick<RuntimeApi, 'send' | 'invoke' | 'extensions'> & {
  /**
   * Invokes with an HTTP event; rejects unless the answer is the TVM's JSON in the form that fronts
   * accept.
   */
  readonly ask: (event: unknown) => Promise<Reply>;
  readonly tvm: Running;
  readonly adapter: Running;
  /** The audit records written so far. */
  readonly audit: () => readonly Json[];
  /** The audit record of the request that a reply is for. */
  readonly recordOf: (reply: Reply) => Promise<Json>;
  readonly close: () => Promise<void>;
};

/** For polling what this machine does in its own time. */
export const PATIENCE = { timeout: 20_000, interval: 20 };

function parseLines(stdout: string): readonly Json[] {
  return stdout
    .slice(0, stdout.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Json);
}

function toReply(answer: LambdaAnswer): Reply {
  const { statusCode: status, headers, multiValueHeaders = {}, body } = answer;
  expect(answer).toMatchObject({
    statusCode: expect.any(Number),
    isBase64Encoded: false,
    body: expect.any(String),
  });
  const json = JSON.parse(body) as Json;
  return {
    status,
    // A REST API gets all of them as lists, the others as text.
    headers: {
      ...Object.fromEntries(
        Object.entries(multiValueHeaders).map(([name, values]) => [name, values.join(',')]),
      ),
      ...headers,
    },
    json,
    result: [status, json['error']],
  };
}

function startAdapter(port: number, address: string): Running {
  return startProcess(ADAPTER, [], {
    AWS_LAMBDA_RUNTIME_API: address,
    AWS_LAMBDA_FUNCTION_NAME: 'sentinel-tvm',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LWA_PORT: String(port),
    AWS_LWA_READINESS_CHECK_PATH: '/healthz',
    AWS_LWA_READINESS_CHECK_MIN_UNHEALTHY_STATUS: '300',
    AWS_LWA_ASYNC_INIT: 'true',
  });
}

/**
 * Starts an execution environment. It accepts events at once, and answers them when the TVM is
 * ready.
 *
 * @param awsEndpoint a local AWS
 * @param variables more of the TVM's environment, such as its front
 */
export async function startLambda(
  awsEndpoint: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Lambda> {
  const runtimeApi = await startRuntimeApi();
  const { address, send, invoke, extensions } = runtimeApi;
  const port = await freePort();
  const tvm = startProcess(process.execPath, ['src/main.ts'], {
    ...tvmVariables(port, awsEndpoint),
    AWS_LAMBDA_RUNTIME_API: address,
    ...variables,
  });
  const adapter = startAdapter(port, address);
  adapter.child.once('exit', () => runtimeApi.abandon());
  function audit(): readonly Json[] {
    return parseLines(tvm.stdout());
  }
  return {
    send,
    invoke,
    extensions,
    ask: async (event) => toReply(await invoke(event)),
    tvm,
    adapter,
    audit,
    recordOf: async ({ headers }) => {
      // The record was written before the answer, but this process reads the two from different
      // pipes.
      function find() {
        return audit().find(({ http_request_id: id }) => id === headers['x-request-id']);
      }
      await expect.poll(find, PATIENCE).toBeDefined();
      return find() ?? {};
    },
    close: async () => {
      if (adapter.child.exitCode === null && adapter.child.signalCode === null)
        await adapter.stop('SIGKILL');
      if (tvm.child.exitCode === null && tvm.child.signalCode === null) await tvm.stop('SIGKILL');
      await runtimeApi.close();
    },
  };
}

/** Sends a vend of dana's that is denied, and gives the index of its record. */
async function mark(lambda: Lambda, front: Front): Promise<number> {
  const reply = await lambda.ask(eventOf(front, { query: 'profile=vault' }));
  expect(reply.result).toEqual([403, 'PolicyDenied']);
  const record = await lambda.recordOf(reply);
  expect(record).toMatchObject({ outcome: 'denied', user: 'user/dana', source_ip: '203.0.113.7' });
  return lambda.audit().findIndex(({ http_request_id: id }) => id === record['http_request_id']);
}

/**
 * The audit records that an action leaves: those between the records of ordinary requests before
 * and after it, because stdout keeps its order. The one after it must be answered as usual.
 */
export async function recordsOf(
  lambda: Lambda,
  front: Front,
  action: () => Promise<unknown>,
): Promise<readonly Json[]> {
  const from = await mark(lambda, front);
  await action();
  const to = await mark(lambda, front);
  return lambda.audit().slice(from + 1, to);
}
