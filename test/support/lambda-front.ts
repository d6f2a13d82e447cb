import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { albEvent, eventOf } from '../lambda/events.ts';
import type { LambdaAnswer } from './runtime-api.ts';

/** Fronts of AWS Lambda that do not verify callers, so the TVM does. */
export type OpenFront = 'alb' | 'function-url';

/** The event that a front makes of a request. It passes URL and body on unchanged. */
async function toEvent(front: OpenFront, request: IncomingMessage): Promise<unknown> {
  const [path = '/', ...query] = (request.url ?? '/').split('?');
  const body = (await buffer(request)).toString('base64');
  const asked = {
    method: request.method ?? 'GET',
    path,
    query: query.join('?'),
    body,
    isBase64Encoded: true,
    headers: Object.fromEntries(
      Object.entries(request.headersDistinct).map(([name, values = []]) => [
        name,
        values.join(', '),
      ]),
    ),
  };
  return front === 'alb'
    ? albEvent({ ...asked, multiValue: true })
    : // AuthType NONE: the front has not verified the caller.
      eventOf('function-url', {
        ...asked,
        context: { authentication: null, authorizer: undefined },
      });
}

function give(
  response: ServerResponse,
  { statusCode, headers, multiValueHeaders, body }: LambdaAnswer,
): void {
  for (const [name, value] of Object.entries({ ...headers, ...multiValueHeaders }))
    response.setHeader(name, value);
  response.writeHead(statusCode).end(body);
}

/**
 * Answers 502 for an invocation that failed; ends the connection if the head of an answer has left
 * already.
 */
function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) response.destroy();
  else
    response
      .writeHead(502, { 'x-front': encodeURI(String(error)).slice(0, 200), 'content-length': 0 })
      .end();
}

/**
 * Serves HTTP on 127.0.0.1 as a front of one execution environment does: each request is one
 * invocation, and there is one at a time. As on AWS, a function's answer that is not in the form of
 * HTTP becomes a 502.
 */
export async function startLambdaFront(
  front: OpenFront,
  invoke: (event: unknown) => Promise<LambdaAnswer>,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  let last: Promise<unknown> = Promise.resolve();
  const server = createServer({ maxHeaderSize: 64 * 1024 }, (request, response) => {
    const event = toEvent(front, request);
    // The client may leave while the invocation before this one is under way, when nobody waits for
    // `event` yet.
    event.catch(() => response.destroy());
    last = last
      .then(async () => give(response, await invoke(await event)))
      .catch((error: unknown) => fail(response, error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
