import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { fromSigV4 } from '../identity/authenticator.ts';
import { newRequestId } from '../lib/ids.ts';
import { readWireHead } from '../sigv4/request.ts';
import { inTrace, readTrace } from '../telemetry/trace.ts';
import { refusalAnswer, type Answer } from './answer.ts';
import type { Arrival } from './arrival.ts';
import { guardConnections, SERVER_OPTIONS, type ConnectionLimits, type TurnedAway } from './connections.ts';
import type { WorkGate } from './gate.ts';
import type { Refusal } from './refusals.ts';
import { toRouteLabel, type Env } from './route.ts';

const HEADERS_COUNT = 200;

/**
 * What Hono's adapter makes its URL of. With the caller's Host, `127.1/xxx` would become a part of the path, and what is
 * no host would be answered before anybody here saw it. The verifier reads the real one from `rawHeaders`.
 */
const ROUTER_HOST = 'sentinel';

/**
 * What the Lambda Web Adapter adds to each request, over whatever the client sent. Off Lambda nobody takes them out, so
 * there they are headers like any other, which nothing reads.
 * https://github.com/awslabs/aws-lambda-web-adapter
 */
const REQUEST_CONTEXT = 'x-amzn-request-context';
const ADAPTER_HEADERS: ReadonlySet<string> = new Set([REQUEST_CONTEXT, 'x-amzn-lambda-context']);

type ServerOptions = {
  /** Whether the server is about to stop, so that connections end with their next answer. */
  readonly isDraining: () => boolean;
  /**
   * What the Lambda Web Adapter's headers are: on AWS Lambda they stand over whatever the client sent, and are the word of
   * a front that verified every request, or of nobody in particular; elsewhere they are headers like any other.
   */
  readonly adapter: 'trusted' | 'dropped' | 'absent';
  /** Told of each request that is no health check. */
  readonly onArrival: () => void;
  /** Told of each answer to such a request: for which of the app's paths it was, and the milliseconds that it took. */
  readonly onAnswer: (answered: {
    readonly route: string;
    readonly status: number;
    readonly milliseconds: number;
  }) => void;
  /** How many connections there may be. */
  readonly connections: ConnectionLimits;
  /** Bounds the requests that are worked on. */
  readonly gate: WorkGate;
  /** Told of each connection and request that was turned away because there are too many. */
  readonly onTurnedAway: (what: TurnedAway | 'overloaded') => void;
};

/** What load balancers ask, and what people and alarms do: both are answered however much there is to do. */
const HEALTH = '/healthz';
const READINESS = '/readyz';

/** Whether the Lambda Web Adapter stands before the server, and whether what it says of callers counts. */
export function toAdapter(home: {
  readonly front: object | undefined;
  readonly onLambda: boolean;
}): ServerOptions['adapter'] {
  if (home.front !== undefined) return 'trusted';
  return home.onLambda ? 'dropped' : 'absent';
}

/**
 * The HTTP server. Request line and headers are read verbatim and checked here, before Hono's adapter makes a URL of
 * them: that would resolve dot segments and take absolute-form targets for paths.
 */
export function createHttpServer(app: Hono<Env>, options: ServerOptions): Server {
  const { isDraining, adapter, gate, onTurnedAway } = options;
  const arrivals = new WeakMap<IncomingMessage, Arrival>();
  const listener = getRequestListener(
    (request, { incoming }) => {
      const arrival = arrivals.get(incoming as IncomingMessage);
      if (arrival === undefined) throw new Error('a request reached the app without passing the front door');
      return app.fetch(request, arrival);
    },
    // What is left of a body is read away, within bounds, by the connection.
    { overrideGlobalObjects: false, autoCleanupIncoming: false },
  );
  const server = createServer(SERVER_OPTIONS, (incoming, outgoing) => {
    if (incoming.url !== HEALTH) announce(outgoing, toRouteLabel(incoming.url ?? ''), options);
    const requestId = newRequestId();
    if (isDraining()) outgoing.setHeader('connection', 'close');
    if (gate.isFull() && incoming.url !== HEALTH && incoming.url !== READINESS) {
      onTurnedAway('overloaded');
      return writeAnswer(outgoing, refusalAnswer(requestId, { kind: 'overloaded' }));
    }
    const said = adapter === 'absent' ? toWithoutContext(incoming) : takeContext(incoming);
    const { rawHeaders } = said;
    const lambdaContext = adapter === 'trusted' ? said.lambdaContext : undefined;
    const head = readHead(incoming, rawHeaders);
    if ('kind' in head) return writeAnswer(outgoing, refusalAnswer(requestId, head));
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    async function admit(): Promise<boolean> {
      // Nobody works for a caller who has left.
      const admitted = (await gate.enter(done)) && !outgoing.destroyed;
      if (!admitted) onTurnedAway('overloaded');
      return admitted;
    }
    arrivals.set(incoming, { head, incoming, requestId, admit, lambdaContext });
    incoming.headers.host = ROUTER_HOST;
    inTrace(readTrace(requestId, rawHeaders), () => void listener(incoming, outgoing).finally(finish));
  });
  // Node drops headers beyond its default count without a word; a signature must see them all.
  server.maxHeadersCount = 0;
  guardConnections(server, options.connections, onTurnedAway);
  return server;
}

function announce(outgoing: ServerResponse, route: string, { onArrival, onAnswer }: ServerOptions): void {
  const begun = performance.now();
  onArrival();
  outgoing.once('finish', () =>
    onAnswer({ route, status: outgoing.statusCode, milliseconds: performance.now() - begun }),
  );
}

type Taken = Pick<Arrival, 'lambdaContext'> & { readonly rawHeaders: readonly string[] };

function toWithoutContext({ rawHeaders }: IncomingMessage): Taken {
  return { rawHeaders, lambdaContext: undefined };
}

/**
 * Parts the adapter's headers from the client's. Their JSON is raw UTF-8, which Node has decoded byte by byte. More than
 * one context is none: the adapter writes one.
 */
function takeContext({ rawHeaders: all }: IncomingMessage): Taken {
  const rawHeaders: string[] = [];
  const contexts: string[] = [];
  for (let index = 0; index + 1 < all.length; index += 2) {
    const [name = '', value = ''] = all.slice(index, index + 2);
    if (name.toLowerCase() === REQUEST_CONTEXT) contexts.push(value);
    if (!ADAPTER_HEADERS.has(name.toLowerCase())) rawHeaders.push(name, value);
  }
  const [only, ...more] = contexts;
  if (only === undefined || more.length > 0) return { rawHeaders, lambdaContext: undefined };
  return { rawHeaders, lambdaContext: Buffer.from(only, 'latin1').toString('utf8') };
}

function readHead(incoming: IncomingMessage, rawHeaders: readonly string[]): Arrival['head'] | Refusal {
  if (rawHeaders.length > 2 * HEADERS_COUNT) {
    return { kind: 'headers-too-large', part: 'number-of-headers', limit: HEADERS_COUNT };
  }
  const head = readWireHead(incoming.method ?? '', incoming.url ?? '', rawHeaders);
  return head.ok ? head.value : fromSigV4(head.refusal);
}

function writeAnswer(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}
