import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The services that can be made to fail, as the credential scope names them. */
export type Service = 'sts' | 'ssm' | 'dynamodb';

/** How a service fails: `ok` passes everything through. */
export type Fault = 'ok' | 'down' | 'hang' | 'slow' | 'garbled' | 'empty' | 'error' | 'throttled' | 'truncated';

/** Long enough to be felt, short enough to be waited for. */
const SLOW_MS = 700;

/** A proxy before an AWS endpoint that fails as it is told. */
export type FaultProxy = {
  readonly url: string;
  /** Requests seen so far, by service. */
  readonly seen: (service: Service) => number;
  readonly set: (service: Service, fault: Fault) => void;
  readonly close: () => Promise<void>;
};

const serviceOf = (incoming: IncomingMessage): Service => {
  const scope = /Credential=[^/]*\/\d{8}\/[^/]*\/([a-z0-9]+)\//u.exec(incoming.headers.authorization ?? '');
  return (scope?.[1] ?? 'sts') as Service;
};

const THROTTLED: Readonly<Record<Service, readonly [status: number, type: string, body: string]>> = {
  sts: [
    400,
    'text/xml',
    '<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>',
  ],
  ssm: [400, 'application/x-amz-json-1.1', '{"__type":"ThrottlingException","message":"Rate exceeded"}'],
  dynamodb: [
    400,
    'application/x-amz-json-1.0',
    '{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}',
  ],
};

const pass = (target: URL, incoming: IncomingMessage, outgoing: ServerResponse, truncate: boolean): void => {
  const { method, url, headers } = incoming;
  const upstream = forward({ host: target.hostname, port: target.port, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    if (!truncate) {
      answer.pipe(outgoing);
      return;
    }
    answer.once('data', (chunk: Buffer) => {
      outgoing.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), () => outgoing.destroy());
    });
  });
  upstream.on('error', () => outgoing.destroy());
  incoming.pipe(upstream);
};

/** Starts the proxy on a free port. */
export const startFaultProxy = async (endpoint: string): Promise<FaultProxy> => {
  const target = new URL(endpoint);
  const faults = new Map<Service, Fault>();
  const counts = new Map<Service, number>();
  const server = createServer((incoming, outgoing) => {
    const service = serviceOf(incoming);
    counts.set(service, (counts.get(service) ?? 0) + 1);
    const fault = faults.get(service) ?? 'ok';
    const answer = (status: number, type: string, body: string): void => {
      incoming.resume();
      outgoing.writeHead(status, { 'content-type': type }).end(body);
    };
    if (fault === 'ok' || fault === 'truncated') pass(target, incoming, outgoing, fault === 'truncated');
    else if (fault === 'slow') setTimeout(() => pass(target, incoming, outgoing, false), SLOW_MS);
    else if (fault === 'down') incoming.socket.destroy();
    else if (fault === 'hang') incoming.resume();
    else if (fault === 'garbled') answer(200, 'text/html', '<html><body>Welcome to the captive portal</body></html>');
    else if (fault === 'empty') answer(200, 'text/plain', '');
    else if (fault === 'error') answer(500, 'text/plain', 'Internal Server Error');
    else answer(...THROTTLED[service]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: (service) => counts.get(service) ?? 0,
    set: (service, fault) => void faults.set(service, fault),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
