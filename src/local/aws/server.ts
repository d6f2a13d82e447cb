import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { systemClock, type Clock } from '../../lib/clock.ts';
import { headerValues, readWireHead, type Header, type WireRequest } from '../../sigv4/request.ts';
import {
  EMBEDDED_ACCOUNT,
  EMBEDDED_REGION,
  ROLES,
  STATIC_KEYS,
  type Principal,
  type Role,
} from './account.ts';
import { authenticate, authenticationError, serviceOf } from './authenticate.ts';
import { createDynamoDb, operationOf } from './dynamodb.ts';
import { createIam } from './iam.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { NO_KEYS, refusalMessage, whyRefused } from './permissions.ts';
import {
  errorAnswer,
  jsonAnswer,
  type Answer,
  type QueryService,
  type Service,
} from './responses.ts';
import { createSns } from './sns.ts';
import { createSsm } from './ssm.ts';
import { createSts } from './sts.ts';

/** A running embedded AWS. */
export type EmbeddedAws = {
  /** The value for `AWS_ENDPOINT_URL`. */
  readonly url: string;
  readonly port: number;
  /** Stops listening and ends open connections; everything stored is lost. */
  readonly close: () => Promise<void>;
};

/** Bytes of a body; longer ones get 413. */
const MAX_BODY = 1_048_576;

/** Bytes of all headers, which session tokens make long. */
const MAX_HEADERS = 65_536;

/** The services, which get authentic requests with their principals. */
type Services = {
  readonly iam: ReturnType<typeof createIam>;
  readonly sns: ReturnType<typeof createSns>;
  readonly sts: ReturnType<typeof createSts>;
  readonly ssm: ReturnType<typeof createSsm>;
  readonly dynamodb: ReturnType<typeof createDynamoDb>;
};

/**
 * Starts STS, IAM, SSM, DynamoDB and SNS for one account in one region, on one HTTP port and in
 * memory. It is for development and tests, and never shipped. Every signature is verified; who may
 * do what is in account.ts and permissions.ts.
 *
 * Rejects as Node does if the port is in use (`EADDRINUSE`).
 *
 * @param options.port 0 for any free port
 * @param options.clock for signatures and expiration; the machine's clock by default
 * @param options.roles further roles beside the account's own
 * @param options.iamDelay milliseconds until a changed policy of a role comes into effect
 */
export async function startEmbeddedAws({
  host = '127.0.0.1',
  port,
  clock = systemClock,
  roles = [],
  iamDelay = 0,
}: {
  readonly host?: string;
  readonly port: number;
  readonly clock?: Clock;
  readonly roles?: readonly Role[];
  readonly iamDelay?: number;
}): Promise<EmbeddedAws> {
  const keyring = createKeyring({ clock, staticKeys: STATIC_KEYS });
  const all = [...ROLES, ...roles];
  const iam = createIam({ roles: all, clock, delay: iamDelay });
  const services: Services = {
    iam,
    sns: createSns({ clock, inline: iam.inline }),
    sts: createSts({ roles: all, keyring, clock, inline: iam.inline }),
    ssm: createSsm({ clock }),
    dynamodb: createDynamoDb(),
  };
  const server = createServer({ maxHeaderSize: MAX_HEADERS }, (incoming, outgoing) => {
    void serve(incoming, outgoing, { services, keyring, clock });
  });
  const listening = await listen(server, port, host);
  function close(): Promise<void> {
    return new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  return { url: `http://${host}:${listening}`, port: listening, close };
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

type World = { readonly services: Services; readonly keyring: Keyring; readonly clock: Clock };

async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  world: World,
): Promise<void> {
  try {
    const body = await readBody(incoming);
    const answer = body === undefined ? TOO_LARGE : await answerTo(incoming, body, world);
    // The rest of a body that is too long is not read, so the connection cannot be used again.
    if (body === undefined) outgoing.setHeader('connection', 'close');
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  } catch (cause) {
    // A client that went away needs no answer. Anything else is a bug of the embedded AWS.
    if (incoming.destroyed && !incoming.complete) return;
    process.stderr.write(
      `embedded AWS: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`,
    );
    if (!outgoing.headersSent) outgoing.writeHead(500);
    outgoing.end();
  }
}

const TOO_LARGE: Answer = {
  status: 413,
  headers: { 'content-type': 'text/plain' },
  body: `The embedded AWS accepts bodies of at most ${MAX_BODY} bytes.\n`,
};

/** The whole body; undefined if it is longer than allowed. */
async function readBody(incoming: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function answerTo(
  incoming: IncomingMessage,
  body: Uint8Array,
  world: World,
): Promise<Answer> {
  const { services, keyring, clock } = world;
  const { method = '', url = '', rawHeaders } = incoming;
  const wantsJson = (incoming.headers.accept ?? '').trim() === 'application/json';
  const head = readWireHead(method, url, rawHeaders);
  if (!head.ok) {
    const service = serviceOf(pairs(rawHeaders));
    const acceptsJson = wantsJson && service === 'sts';
    return errorAnswer(
      service,
      authenticationError(service, head.refusal.error, head.refusal.message),
      acceptsJson,
    );
  }
  const request: WireRequest = { ...head.value, body };
  const service = serviceOf(request.headers);
  // Only STS among the query services answers in JSON.
  const acceptsJson = wantsJson && service === 'sts';
  const caller = authenticate(request, service, keyring, clock());
  if (!caller.ok) return errorAnswer(service, caller.refusal, acceptsJson);
  const call = {
    principal: caller.value,
    form: readForm(request),
    peer: incoming.socket.remoteAddress ?? '',
  };
  if (service === 'sts') return services.sts({ ...call, acceptsJson });
  if (service === 'iam') return services.iam.call(call);
  if (service === 'sns') return services.sns(call);
  return callJson(service, request, { ...call, now: clock() }, services);
}

function pairs(rawHeaders: readonly string[]): readonly Header[] {
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1] ?? '']] : [],
  );
}

/**
 * STS reads parameters from both the query and a form; the first of two with the same name counts.
 */
function readForm({ query, body }: WireRequest): ReadonlyMap<string, string> {
  const form = new Map(query);
  for (const [key, value] of new URLSearchParams(new TextDecoder().decode(body))) {
    if (!form.has(key)) form.set(key, value);
  }
  return form;
}

async function callJson(
  service: Exclude<Service, QueryService>,
  request: WireRequest,
  {
    principal,
    peer,
    now,
  }: { readonly principal: Principal; readonly peer: string; readonly now: number },
  services: Services,
): Promise<Answer> {
  const [target = ''] = headerValues(request.headers, 'x-amz-target');
  const operation = operationOf(target);
  const asked = { action: `${service}:${operation}`, resource: resourceOf(service), keys: NO_KEYS };
  const why = whyRefused(principal, asked, { inline: services.iam.inline, peer, now });
  if (why !== undefined) {
    const message = refusalMessage(principal, asked, why);
    return errorAnswer(service, { code: 'AccessDeniedException', status: 400, message });
  }
  if (service === 'dynamodb') {
    return services.dynamodb({
      url: '/',
      headers: Object.fromEntries(request.headers),
      body: request.body,
    });
  }
  const outcome = services.ssm({
    operation: target.startsWith('AmazonSSM.') ? operation : '',
    body: request.body,
  });
  return outcome.ok ? jsonAnswer('ssm', outcome.value) : errorAnswer('ssm', outcome.refusal);
}

/** All resources of a service: no policy here distinguishes tables or parameters. */
function resourceOf(service: Service): string {
  return `arn:aws:${service}:${EMBEDDED_REGION}:${EMBEDDED_ACCOUNT}:*`;
}
