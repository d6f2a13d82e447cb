import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { ROUTES } from '../contract/routes.ts';
import { fromSigV4 } from '../identity/authenticator.ts';
import { newRequestId } from '../lib/ids.ts';
import { readWireHead } from '../sigv4/request.ts';
import { inTrace, readTrace } from '../telemetry/trace.ts';
import { refusalAnswer, type Answer } from './answer.ts';
import type { Arrival } from './arrival.ts';
import {
  guardConnections,
  SERVER_OPTIONS,
  type ConnectionLimits,
  type TurnedAway,
} from './connections.ts';
import type { WorkGate } from './gate.ts';
import type { Refusal } from './refusals.ts';
import { toRouteLabel, type Env } from './route.ts';

/** The most headers; Node would drop further ones without a word, see below. */
const HEADERS_COUNT = 200;

/**
 * The host that Hono's adapter makes its URL of. With the caller's Host, `127.1/xxx` would become
 * part of the path, and an invalid one would be answered by the adapter itself. The verifier reads
 * the caller's own from `rawHeaders`.
 */
const ROUTER_HOST = 'sentinel';

/**
 * What the Lambda Web Adapter adds to each request, in the place of what the client sent. Elsewhere
 * these are headers like any other, which nothing reads.
 * https://github.com/awslabs/aws-lambda-web-adapter
 */
const REQUEST_CONTEXT = 'x-amzn-request-context';
const ADAPTER_HEADERS: ReadonlySet<string> = new Set([REQUEST_CONTEXT, 'x-amzn-lambda-context']);

type ServerOptions = {
  /** Whether the server is about to stop, so that connections end with their next answer. */
  readonly isDraining: () => boolean;
  /**
   * What the Lambda Web Adapter's headers are. On AWS Lambda they replace what the client sent:
   * they are trusted where a front verified every request, and dropped where it did not. Elsewhere
   * the adapter is absent, and they are headers like any other.
   */
  readonly adapter: 'trusted' | 'dropped' | 'absent';
  /** Called for each request that is not a health check. */
  readonly onArrival: () => void;
  /**
   * Called for each answer to such a request, with its path in the table of routes and the time it
   * took.
   */
  readonly onAnswer: (answered: {
    readonly route: string;
    readonly status: number;
    readonly milliseconds: number;
  }) => void;
  /** How many connections there may be. */
  readonly connections: ConnectionLimits;
  /** Bounds the requests that are worked on. */
  readonly gate: WorkGate;
  /** Called for each connection and request that is turned away because there are too many. */
  readonly onTurnedAway: (what: TurnedAway | 'overloaded') => void;
};

/**
 * What load balancers, people and alarms ask: both are answered even when the server is overloaded.
 */
const HEALTH: string = ROUTES.health.path;
const READINESS: string = ROUTES.readiness.path;

/**
 * Whether the Lambda Web Adapter stands before the server, and whether what it says of callers
 * counts.
 */
export function toAdapter(home: {
  readonly front: object | undefined;
  readonly onLambda: boolean;
}): ServerOptions['adapter'] {
  if (home.front !== undefined) return 'trusted';
  return home.onLambda ? 'dropped' : 'absent';
}

/**
 * Makes the HTTP server. Request line and headers are read verbatim and checked here, before Hono's
 * adapter makes a URL of them: that would resolve dot segments and take absolute-form targets for
 * paths.
 */
export function createHttpServer(app: Hono<Env>, options: ServerOptions): Server {
  const { isDraining, gate, onTurnedAway } = options;
  /**
   * Request → its head as it was on the wire, until the request is answered: the adapter changes
   * it.
   */
  const arrivals = new WeakMap<IncomingMessage, Arrival>();
  const listener = getRequestListener(
    (request, { incoming }) => {
      const arrival = arrivals.get(incoming as IncomingMessage);
      if (arrival === undefined)
        throw new Error('a request reached the app without passing the front door');
      return app.fetch(request, arrival);
    },
    // The rest of a body is discarded, within bounds, by the connection.
    { overrideGlobalObjects: false, autoCleanupIncoming: false },
  );

  function isTooMany({ url }: IncomingMessage): boolean {
    return gate.isFull() && url !== HEALTH && url !== READINESS;
  }

  function receive(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (incoming.url !== HEALTH) announce(outgoing, toRouteLabel(incoming.url ?? ''), options);
    const requestId = newRequestId();
    if (isDraining()) outgoing.setHeader('connection', 'close');
    // Refuse before anything is read when there is no room.
    if (isTooMany(incoming)) {
      onTurnedAway('overloaded');
      return writeAnswer(outgoing, refusalAnswer(requestId, { kind: 'overloaded' }));
    }
    // Read the head as it was on the wire.
    const { rawHeaders, lambdaContext } = readAdapter(incoming, options.adapter);
    const head = readHead(incoming, rawHeaders);
    if ('kind' in head) return writeAnswer(outgoing, refusalAnswer(requestId, head));
    // Hand the request on to the app; its place is free when it is over.
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    async function admit(): Promise<boolean> {
      // Nobody works for a caller who has left.
      const admitted = (await gate.enter(done)) && !outgoing.destroyed;
      if (!admitted) onTurnedAway('overloaded');
      return admitted;
    }
    arrivals.set(incoming, { head, incoming, requestId, admit, lambdaContext });
    incoming.headers.host = ROUTER_HOST;
    inTrace(
      readTrace(requestId, rawHeaders),
      () => void listener(incoming, outgoing).finally(finish),
    );
  }

  const server = createServer(SERVER_OPTIONS, receive);
  // Node drops headers beyond its default count without a word; a signature must see them all.
  server.maxHeadersCount = 0;
  guardConnections(server, options.connections, onTurnedAway);
  return server;
}

function announce(
  outgoing: ServerResponse,
  route: string,
  { onArrival, onAnswer }: ServerOptions,
): void {
  const begun = performance.now();
  onArrival();
  outgoing.once('finish', () =>
    onAnswer({ route, status: outgoing.statusCode, milliseconds: performance.now() - begun }),
  );
}

type Taken = Pick<Arrival, 'lambdaContext'> & { readonly rawHeaders: readonly string[] };

/** The client's headers, and what the Lambda Web Adapter says where that counts. */
function readAdapter(incoming: IncomingMessage, adapter: ServerOptions['adapter']): Taken {
  if (adapter === 'absent') return { rawHeaders: incoming.rawHeaders, lambdaContext: undefined };
  const taken = takeContext(incoming);
  return adapter === 'trusted' ? taken : { ...taken, lambdaContext: undefined };
}

/**
 * Separates the adapter's headers from the client's. Their JSON is raw UTF-8, which Node has
 * decoded byte by byte. More than one context counts as none: the adapter writes one.
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

function readHead(
  incoming: IncomingMessage,
  rawHeaders: readonly string[],
): Arrival['head'] | Refusal {
  if (rawHeaders.length > 2 * HEADERS_COUNT) {
    return { kind: 'headers-too-large', part: 'number-of-headers', limit: HEADERS_COUNT };
  }
  const head = readWireHead(incoming.method ?? '', incoming.url ?? '', rawHeaders);
  return head.ok ? head.value : fromSigV4(head.refusal);
}

function writeAnswer(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}
