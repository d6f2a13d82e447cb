import { once } from 'node:events';
import {
  createServer,
  request as forward,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** The services that can be made to fail, named as in the credential scope. */
export type Service = 'sts' | 'ssm' | 'dynamodb' | 'iam';

/**
 * How a service fails. `ok` passes everything through. `hang` sends nothing; `stall-body` sends the
 * head and half of the body; `trickle` sends the body at a byte a second; `lost` lets the service
 * do its work and loses the answer; `empty` is a 200 without a body, `empty-json` one with `{}`,
 * `foreign` a well-formed answer to another request.
 */
export type Fault =
  | 'ok'
  | 'down'
  | 'hang'
  | 'slow'
  | 'garbled'
  | 'empty'
  | 'empty-json'
  | 'foreign'
  | 'error'
  | 'throttled'
  | 'truncated'
  | 'stall-body'
  | 'trickle'
  | 'lost';

/**
 * All faults but `ok` and `slow`. While one of them lasts, no answer arrives that the TVM may
 * trust.
 */
export const BREAKING_FAULTS: readonly Fault[] = [
  'down',
  'hang',
  'garbled',
  'empty',
  'empty-json',
  'foreign',
  'error',
  'throttled',
  'truncated',
  'stall-body',
  'trickle',
  'lost',
];

/** One request that the proxy received. */
export type Call = {
  readonly service: Service;
  /** The operation as AWS names it, like `Query` or `AssumeRole`. */
  readonly operation: string;
  readonly body: string;
};

/** An answer that a test makes itself. */
export type Reply = { readonly status: number; readonly type?: string; readonly body: string };

/** A fault, or a function that chooses a fault or an answer for each call. */
export type Behaviour = Fault | ((call: Call) => Fault | Reply);

/** The delay of `slow`: long enough to matter, short enough to be waited for. */
const SLOW_MS = 700;
const TRICKLE_MS = 1_000;

/** A proxy before an AWS endpoint that fails as a test tells it. */
export type FaultProxy = {
  readonly url: string;
  /** The number of requests so far to a service, or to one operation of it. */
  readonly seen: (service: Service, operation?: string) => number;
  readonly set: (service: Service, behaviour: Behaviour) => void;
  /**
   * Lets only the next call of an operation fail; all others keep the behaviour of their service.
   */
  readonly failNext: (service: Service, operation: string, fault: Fault | Reply) => void;
  readonly close: () => Promise<void>;
};

function serviceOf(incoming: IncomingMessage): Service {
  const scope = /Credential=[^/]*\/\d{8}\/[^/]*\/([a-z0-9]+)\//u.exec(
    incoming.headers.authorization ?? '',
  );
  return (scope?.[1] ?? 'sts') as Service;
}

function operationOf(incoming: IncomingMessage, body: string): string {
  const target = incoming.headers['x-amz-target'];
  if (typeof target === 'string') return target.slice(target.lastIndexOf('.') + 1);
  return new URLSearchParams(body).get('Action') ?? '';
}

const XML = 'text/xml';
const SSM_JSON = 'application/x-amz-json-1.1';
const DYNAMODB_JSON = 'application/x-amz-json-1.0';

const THROTTLED_XML =
  '<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>';

const THROTTLED: Readonly<Record<Service, Reply>> = {
  sts: { status: 400, type: XML, body: THROTTLED_XML },
  iam: { status: 400, type: XML, body: THROTTLED_XML },
  ssm: {
    status: 400,
    type: SSM_JSON,
    body: '{"__type":"ThrottlingException","message":"Rate exceeded"}',
  },
  dynamodb: {
    status: 400,
    type: DYNAMODB_JSON,
    body: '{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow down"}',
  },
};

/** An answer that the service could have given to another request. */
function foreignReply({ service, operation }: Call): Reply {
  if (service === 'ssm') {
    const parameter = {
      Name: '/elsewhere/policies/dev',
      Type: 'String',
      Value: 'version: "1"',
      Version: 1,
      LastModifiedDate: 1_700_000_000,
      ARN: 'arn:aws:ssm:us-east-1:999999999999:parameter/elsewhere/policies/dev',
    };
    const body = JSON.stringify({ Parameters: [parameter], InvalidParameters: [] });
    return { status: 200, type: SSM_JSON, body };
  }
  if (service === 'dynamodb') {
    const item = { id: { S: 'somebody-elses' } };
    const capacity = { ConsumedCapacity: { TableName: 'elsewhere', CapacityUnits: 1 } };
    const list = operation === 'Query' || operation === 'Scan';
    const found = list
      ? { Items: [item], Count: 1, ScannedCount: 1 }
      : { Item: item, Attributes: item };
    return { status: 200, type: DYNAMODB_JSON, body: JSON.stringify({ ...found, ...capacity }) };
  }
  const result =
    '<Arn>arn:aws:sts::999999999999:assumed-role/elsewhere/x</Arn><UserId>AROAX:x</UserId><Account>999999999999</Account>';
  const answer = `<GetCallerIdentityResponse><GetCallerIdentityResult>${result}</GetCallerIdentityResult></GetCallerIdentityResponse>`;
  return { status: 200, type: XML, body: answer };
}

type Upstream = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
};

/** Sends the request to AWS, and resolves with the whole answer. */
function ask(target: URL, incoming: IncomingMessage, body: Buffer): Promise<Upstream> {
  return new Promise((resolve, reject) => {
    const { method, url, headers } = incoming;
    const place = { host: target.hostname, port: target.port, method, path: url, headers };
    const upstream = forward(place, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 502,
          headers: answer.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    upstream.on('error', reject);
    upstream.end(body);
  });
}

/** Writes the head as AWS would, with the length of the whole body, however much of it arrives. */
function writeHead(outgoing: ServerResponse, { status, headers, body }: Upstream): void {
  const { 'transfer-encoding': _, ...others } = headers;
  outgoing.writeHead(status, { ...others, 'content-length': String(body.length) });
  outgoing.flushHeaders();
}

function trickle(outgoing: ServerResponse, body: Buffer): void {
  let sent = 0;
  const timer = setInterval(() => {
    outgoing.write(body.subarray(sent, (sent += 1)));
    if (sent < body.length) return;
    clearInterval(timer);
    outgoing.end();
  }, TRICKLE_MS);
  outgoing.on('close', () => clearInterval(timer));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** Lets AWS answer, and delivers the answer with a fault. */
async function spoil(
  fault: Fault,
  outgoing: ServerResponse,
  answered: () => Promise<Upstream>,
): Promise<void> {
  if (fault === 'slow') await pause(SLOW_MS);
  const upstream = await answered();
  if (fault === 'lost') {
    outgoing.destroy();
    return;
  }
  writeHead(outgoing, upstream);
  const half = upstream.body.subarray(0, Math.ceil(upstream.body.length / 2));
  if (fault === 'trickle') trickle(outgoing, upstream.body);
  else if (fault === 'truncated') outgoing.write(half, () => outgoing.destroy());
  else if (fault === 'stall-body') outgoing.write(half);
  else outgoing.end(upstream.body);
}

function reply(outgoing: ServerResponse, { status, type = SSM_JSON, body }: Reply): void {
  outgoing.writeHead(status, { 'content-type': type }).end(body);
}

/** The answer of a fault for which AWS is not asked at all. */
function replyOf(fault: Fault, call: Call): Reply | undefined {
  if (fault === 'garbled') {
    return {
      status: 200,
      type: 'text/html',
      body: '<html><body>Welcome to the captive portal</body></html>',
    };
  }
  if (fault === 'empty') return { status: 200, type: 'text/plain', body: '' };
  if (fault === 'empty-json') {
    const type = call.service === 'dynamodb' ? DYNAMODB_JSON : SSM_JSON;
    return { status: 200, type, body: '{}' };
  }
  if (fault === 'foreign') return foreignReply(call);
  if (fault === 'error') return { status: 500, type: 'text/plain', body: 'Internal Server Error' };
  return fault === 'throttled' ? THROTTLED[call.service] : undefined;
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Starts the proxy on a free port. */
export async function startFaultProxy(endpoint: string): Promise<FaultProxy> {
  const target = new URL(endpoint);
  const behaviours = new Map<Service, Behaviour>();
  const nextFaults = new Map<string, Fault | Reply>();
  const counts = new Map<string, number>();
  function count(key: string): void {
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }

  function choose(call: Call): Fault | Reply {
    const key = `${call.service} ${call.operation}`;
    const next = nextFaults.get(key);
    if (next !== undefined) {
      nextFaults.delete(key);
      return next;
    }
    const behaviour = behaviours.get(call.service) ?? 'ok';
    return typeof behaviour === 'function' ? behaviour(call) : behaviour;
  }

  const server = createServer((incoming, outgoing) => {
    async function serve(): Promise<void> {
      const service = serviceOf(incoming);
      count(service);
      const body = await readBody(incoming);
      const call = {
        service,
        operation: operationOf(incoming, body.toString()),
        body: body.toString(),
      };
      count(`${service} ${call.operation}`);
      const chosen = choose(call);
      const ready = typeof chosen === 'string' ? replyOf(chosen, call) : chosen;
      if (ready !== undefined) reply(outgoing, ready);
      else if (chosen === 'down') incoming.socket.destroy();
      else if (chosen !== 'hang')
        await spoil(chosen as Fault, outgoing, () => ask(target, incoming, body));
    }
    // When AWS or the caller goes away, only this connection ends; no test fails because of it.
    serve().catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: (service, operation) =>
      counts.get(operation === undefined ? service : `${service} ${operation}`) ?? 0,
    set: (service, behaviour) => void behaviours.set(service, behaviour),
    failNext: (service, operation, fault) => void nextFaults.set(`${service} ${operation}`, fault),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
