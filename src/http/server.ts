import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { SECOND } from '../lib/clock.ts';
import { newRequestId } from '../lib/ids.ts';
import { readWireHead } from '../sigv4/request.ts';
import { inTrace, readTrace } from '../telemetry/trace.ts';
import { refusalAnswer, type Answer } from './answer.ts';
import type { Arrival } from './authenticate.ts';
import type { Refusal } from './refusals.ts';
import type { Env } from './route.ts';

/**
 * Session tokens and a Lambda context together pass Node's default of 16 KiB. An ALB takes 64 KiB and adds its own, so
 * that what it lets through is read here.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
 */
const HEADERS_LIMIT = 65 * 1024;
const HEADERS_COUNT = 200;
/** Longer than the 60 s after which an ALB drops an idle connection: the side that closes first must be the ALB's. */
const KEEP_ALIVE = 75 * SECOND;
const HEADERS_TIMEOUT = 80 * SECOND;
const REQUEST_TIMEOUT = 90 * SECOND;
/** How often Node looks for connections that are beyond their time. */
const TIMEOUT_CHECK = 5 * SECOND;

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
  /** Told of each answer to such a request, and of the milliseconds that it took. */
  readonly onAnswer: (status: number, milliseconds: number) => void;
};

/** What load balancers ask. */
const HEALTH = '/healthz';

/**
 * The HTTP server. Request line and headers are read verbatim and checked here, before Hono's adapter makes a URL of
 * them: that would resolve dot segments and take absolute-form targets for paths.
 */
export const createHttpServer = (app: Hono<Env>, options: ServerOptions): Server => {
  const { isDraining, adapter } = options;
  const arrivals = new WeakMap<IncomingMessage, Arrival>();
  const listener = getRequestListener(
    (request, { incoming }) => {
      const arrival = arrivals.get(incoming as IncomingMessage);
      if (arrival === undefined) throw new Error('a request reached the app without passing the front door');
      return app.fetch(request, arrival);
    },
    { overrideGlobalObjects: false },
  );
  const server = createServer(
    {
      maxHeaderSize: HEADERS_LIMIT,
      keepAliveTimeout: KEEP_ALIVE,
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: TIMEOUT_CHECK,
      requireHostHeader: false,
    },
    (incoming, outgoing) => {
      if (incoming.url !== HEALTH) announce(outgoing, options);
      const requestId = newRequestId();
      const { rawHeaders, ...said } =
        adapter === 'absent' ? { rawHeaders: incoming.rawHeaders } : takeContext(incoming);
      const context = adapter === 'trusted' ? said : {};
      const head = readHead(incoming, rawHeaders);
      if (isDraining()) outgoing.setHeader('connection', 'close');
      if ('kind' in head) return writeAnswer(outgoing, refusalAnswer(requestId, head));
      arrivals.set(incoming, { head, incoming, requestId, ...context });
      incoming.headers.host = ROUTER_HOST;
      inTrace(readTrace(requestId, rawHeaders), () => void listener(incoming, outgoing));
    },
  );
  // Node drops headers beyond its default count without a word; a signature must see them all.
  server.maxHeadersCount = 0;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => answerBrokenRequest(error, socket));
  return server;
};

const announce = (outgoing: ServerResponse, { onArrival, onAnswer }: ServerOptions): void => {
  const begun = performance.now();
  onArrival();
  outgoing.once('finish', () => onAnswer(outgoing.statusCode, performance.now() - begun));
};

/**
 * Parts the adapter's headers from the client's. Their JSON is raw UTF-8, which Node has decoded byte by byte. More than
 * one context is none: the adapter writes one.
 */
const takeContext = ({
  rawHeaders: all,
}: IncomingMessage): Pick<Arrival, 'lambdaContext'> & { rawHeaders: string[] } => {
  const rawHeaders: string[] = [];
  const contexts: string[] = [];
  for (let index = 0; index + 1 < all.length; index += 2) {
    const [name = '', value = ''] = all.slice(index, index + 2);
    if (name.toLowerCase() === REQUEST_CONTEXT) contexts.push(value);
    if (!ADAPTER_HEADERS.has(name.toLowerCase())) rawHeaders.push(name, value);
  }
  const [only, ...more] = contexts;
  if (only === undefined || more.length > 0) return { rawHeaders };
  return { rawHeaders, lambdaContext: Buffer.from(only, 'latin1').toString('utf8') };
};

const readHead = (incoming: IncomingMessage, rawHeaders: readonly string[]): Arrival['head'] | Refusal => {
  if (rawHeaders.length > 2 * HEADERS_COUNT) {
    return { kind: 'headers-too-large', message: `The request has more than ${HEADERS_COUNT} headers.` };
  }
  const head = readWireHead(incoming.method ?? '', incoming.url ?? '', rawHeaders);
  return head.ok ? head.value : { kind: 'not-authentic', refusal: head.refusal };
};

const writeAnswer = (outgoing: ServerResponse, { status, headers, body }: Answer): void => {
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
};

/** What Node's parser refuses never becomes a request; its sender is told all the same, and the connection ends. */
const answerBrokenRequest = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const refusal: Refusal =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? { kind: 'headers-too-large', message: `The headers are longer than ${HEADERS_LIMIT} bytes together.` }
      : { kind: 'invalid', message: 'This is not an HTTP request that can be read; the connection is closed.' };
  const { status, headers, body } = refusalAnswer(newRequestId(), refusal);
  const reason = status === 431 ? 'Request Header Fields Too Large' : 'Bad Request';
  const lines = Object.entries({ ...headers, connection: 'close', 'content-length': String(Buffer.byteLength(body)) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${head}\r\n${body}`);
};
