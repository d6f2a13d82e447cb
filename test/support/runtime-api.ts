import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * A function's answer to an HTTP event, in the form that Function URLs, both kinds of APIs or ALBs
 * accept.
 */
export type LambdaAnswer = {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
};

/**
 * The result of one invocation; `abandoned` if the process that took it ended without an answer.
 */
export type Outcome =
  | { readonly kind: 'answered'; readonly answer: LambdaAnswer }
  | { readonly kind: 'failed'; readonly errorType: string; readonly errorMessage: string }
  | { readonly kind: 'abandoned' };

type Invocation = {
  readonly id: string;
  readonly payload: string | Uint8Array;
  settle: (outcome: Outcome) => void;
};

/** The Lambda service for one execution environment, in the test's own process. */
export type RuntimeApi = {
  /** The value for AWS_LAMBDA_RUNTIME_API. */
  readonly address: string;
  /** Names of the extensions that registered. */
  readonly extensions: readonly string[];
  /** Hands over an event as it is, once those before it are done. Never rejects. */
  readonly send: (payload: string | Uint8Array) => Promise<Outcome>;
  /** Hands over an event as JSON; rejects if the function does not answer it. */
  readonly invoke: (event: unknown) => Promise<LambdaAnswer>;
  /** Settles all open invocations as abandoned, because the process that took them is gone. */
  readonly abandon: () => void;
  readonly close: () => Promise<void>;
};

/** How long an invocation may take; the function is told the deadline. */
const TIMEOUT_MS = 30_000;

const ARN = 'arn:aws:lambda:us-east-1:123456789012:function:sentinel-tvm';

const INVOCATION = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/u;

function answer(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
}

function toOutcome(what: string | undefined, body: string): Outcome {
  const value = JSON.parse(body) as unknown;
  return what === 'response'
    ? { kind: 'answered', answer: value as LambdaAnswer }
    : { kind: 'failed', ...(value as { errorType: string; errorMessage: string }) };
}

/**
 * Starts the part of AWS Lambda that an execution environment talks to. As there, it handles one
 * event at a time.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
export async function startRuntimeApi(): Promise<RuntimeApi> {
  const waiting: Invocation[] = [];
  const underWay = new Map<string, Invocation>();
  const extensions: string[] = [];
  let poll: ServerResponse | undefined;

  function handOver(): void {
    if (poll === undefined) return;
    const next = waiting.shift();
    if (next === undefined) return;
    underWay.set(next.id, next);
    answer(poll, 200, next.payload, {
      'lambda-runtime-aws-request-id': next.id,
      'lambda-runtime-deadline-ms': String(Date.now() + TIMEOUT_MS),
      'lambda-runtime-invoked-function-arn': ARN,
      'lambda-runtime-trace-id':
        'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1',
    });
    poll = undefined;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '';
    const body = await text(request);
    if (url === '/2018-06-01/runtime/invocation/next') {
      poll = response;
      return handOver();
    }
    if (url === '/2020-01-01/extension/register') {
      extensions.push(String(request.headers['lambda-extension-name']));
      return answer(response, 200, '{}', { 'lambda-extension-identifier': randomUUID() });
    }
    // Never answered, because the adapter registers for no events.
    if (url === '/2020-01-01/extension/event/next') return;
    const [, id = '', what] = INVOCATION.exec(url) ?? [];
    const invocation = underWay.get(id);
    if (invocation === undefined)
      return answer(response, url.endsWith('/init/error') ? 202 : 404, '{}');
    underWay.delete(id);
    answer(response, 202, '{"status":"OK"}');
    invocation.settle(toOutcome(what, body));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function send(payload: string | Uint8Array): Promise<Outcome> {
    return new Promise((settle) => {
      waiting.push({ id: randomUUID(), payload, settle });
      handOver();
    });
  }
  function abandon(): void {
    poll = undefined;
    for (const { settle } of [...underWay.values(), ...waiting.splice(0)])
      settle({ kind: 'abandoned' });
    underWay.clear();
  }
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    extensions,
    send,
    invoke: async (event) => {
      const outcome = await send(JSON.stringify(event));
      if (outcome.kind !== 'answered')
        throw new Error(`the invocation was not answered: ${JSON.stringify(outcome)}`);
      return outcome.answer;
    },
    abandon,
    close: async () => {
      abandon();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
