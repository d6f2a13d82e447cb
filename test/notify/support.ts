import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Event, Matter } from '../../src/notify/event.ts';
import { CERTIFICATE, CERTIFICATE_KEY } from './certificate.ts';

export const NOW = Date.parse('2026-03-10T12:00:00Z');
export const PUBLIC_URL = 'https://tvm.example.com';

/** An event about a request of alice's. */
export function event(more: Partial<Event> = {}, matter: Partial<Matter> = {}): Event {
  return {
    version: 1,
    type: 'request.created',
    at: NOW,
    matter: {
      kind: 'request',
      id: '0123456789abcdef',
      profile: 'prod',
      requester: 'key/alice',
      actor: 'key/alice',
      justification: 'deploy the release of today',
      comment: undefined,
      ticket: undefined,
      reasonCode: undefined,
      status: 'pending',
      seconds: 3_600,
      endsAt: undefined,
      isDrill: false,
      ...matter,
    },
    ...more,
  };
}

/** What a receiver of the tests was sent. */
export type Arrived = { readonly headers: IncomingMessage['headers']; readonly body: string };

/** A server that notes what arrives, and answers as the test says. */
export type TestReceiver = {
  readonly url: string;
  readonly port: number;
  readonly arrived: readonly Arrived[];
  /** The ids of the events that arrived, in the order of their arrival. */
  readonly ids: () => readonly string[];
  readonly close: () => Promise<void>;
};

type Respond = (response: ServerResponse, request: IncomingMessage) => void;

function noContent(response: ServerResponse): void {
  response.writeHead(204).end();
}

/** Starts a receiver on loopback. */
export async function startReceiver(
  respond: Respond = noContent,
  isTls = false,
): Promise<TestReceiver> {
  const arrived: Arrived[] = [];
  function serve(request: IncomingMessage, response: ServerResponse): void {
    void text(request).then((body) => {
      arrived.push({ headers: request.headers, body });
      respond(response, request);
    });
  }
  const server: Server = isTls
    ? createTlsServer({ cert: CERTIFICATE, key: CERTIFICATE_KEY }, serve)
    : createServer(serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${isTls ? 'https' : 'http'}://127.0.0.1:${port}/hook`,
    port,
    arrived,
    ids: () => arrived.map(({ body }) => (JSON.parse(body) as { id: string }).id),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
