import { once } from 'node:events';
import {
  createServer,
  request,
  STATUS_CODES,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { HEADERS_LIMIT, isTooLong, toClientHeaders, toTargetHeaders } from './alb-headers.ts';
import { createTargets, type Targets, type TargetSettings } from './alb-targets.ts';

/** One request in the access log, with the fields of AWS's own. */
export type AccessLogEntry = {
  /** The port of the target that got it; undefined if the load balancer answered by itself. */
  readonly target?: number;
  /** The status that the client got. */
  readonly elbStatus: number;
  /** The status that the target answered; undefined if it did not answer. */
  readonly targetStatus?: number;
  /** Why there is no answer of the target. */
  readonly reason?: string;
};

/** A load balancer before some targets. */
export type Alb = Pick<Targets, 'healthy' | 'connections'> & {
  readonly port: number;
  /** The Host header that a client sends. */
  readonly host: string;
  readonly accessLog: readonly AccessLogEntry[];
  readonly close: () => Promise<void>;
};

/** Settings as of a real load balancer, but with shorter times, in milliseconds. */
export type AlbOptions = Partial<TargetSettings> & {
  /** The client's address as the load balancer sees it; by default that of the peer. */
  readonly clientAddress?: string;
};

const DEFAULTS: TargetSettings = {
  healthPath: '/healthz',
  healthInterval: 200,
  unhealthyThreshold: 2,
  healthyThreshold: 2,
  idleTimeout: 10_000,
};

/** When a target answers with longer headers, the client gets a 502. */
const RESPONSE_HEADERS_LIMIT = 32 * 1024;

function pageOf(status: number): string {
  return `<html>\r\n<head><title>${status} ${STATUS_CODES[status]}</title></head>\r\n</html>\r\n`;
}

/** Answers by itself, in HTML like all errors of a load balancer. */
function answerAlone(outgoing: ServerResponse, status: number): void {
  const headers = {
    server: 'awselb/2.0',
    'content-type': 'text/html',
    'content-length': pageOf(status).length,
  };
  outgoing
    .writeHead(status, status === 400 ? { ...headers, connection: 'close' } : headers)
    .end(pageOf(status));
}

/** Answers 400 to bytes that are not a request. */
function answerBroken(socket: Socket): void {
  const page = pageOf(400);
  const head = `HTTP/1.1 400 Bad Request\r\nServer: awselb/2.0\r\nContent-Length: ${page.length}\r\nConnection: close\r\n`;
  socket.end(`${head}Content-Type: text/html\r\n\r\n${page}`);
}

/** The error code of a target that does not answer within the idle timeout. */
const TIMED_OUT = 'ETIMEDOUT';

/**
 * Sends a request to its target once, and never again, so that a test sees each request that is
 * lost. Bodies are passed on as they come.
 */
function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  to: Pick<Targets, 'agent'> & {
    readonly target: number;
    readonly timeout: number;
    readonly headers: readonly string[];
  },
): Promise<Pick<AccessLogEntry, 'targetStatus' | 'reason'>> {
  return new Promise((resolve) => {
    const { agent, target: port, timeout, headers } = to;
    const { method, url: path } = incoming;
    const limits = { timeout, maxHeaderSize: RESPONSE_HEADERS_LIMIT };
    const upstream = request({ agent, host: '127.0.0.1', port, method, path, headers, ...limits });
    let targetStatus: number | undefined;
    function settle(reason?: string): void {
      resolve({
        ...(targetStatus === undefined ? {} : { targetStatus }),
        ...(reason === undefined ? {} : { reason }),
      });
    }
    upstream.on('response', (answer) => {
      targetStatus = answer.statusCode ?? 0;
      outgoing.writeHead(targetStatus, toClientHeaders(answer.rawHeaders));
      answer.once('error', () => outgoing.destroy());
      answer.pipe(outgoing);
    });
    upstream.once('timeout', () =>
      upstream.destroy(Object.assign(new Error('no answer in time'), { code: TIMED_OUT })),
    );
    upstream.on('error', (error: NodeJS.ErrnoException) => {
      settle(error.code ?? error.message);
      if (outgoing.headersSent) outgoing.destroy();
      else answerAlone(outgoing, error.code === TIMED_OUT ? 504 : 502);
    });
    outgoing.once('close', () => {
      settle(outgoing.writableFinished ? undefined : 'the client got no whole answer');
      if (!outgoing.writableFinished) upstream.destroy();
    });
    incoming.pipe(upstream);
  });
}

/**
 * Starts a load balancer on a free port, before targets on these ports of 127.0.0.1. It treats
 * HTTP/1.1 as an Application Load Balancer does: health checks, round robin over kept connections,
 * headers, limits and errors.
 */
export async function startAlb(
  ports: readonly number[],
  { clientAddress, ...options }: AlbOptions = {},
): Promise<Alb> {
  const settings = { ...DEFAULTS, ...options };
  const targets = createTargets(ports, settings);
  const accessLog: AccessLogEntry[] = [];

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (isTooLong(incoming)) {
      answerAlone(outgoing, 400);
      accessLog.push({ elbStatus: 400 });
      return;
    }
    const target = targets.next();
    if (target === undefined) {
      answerAlone(outgoing, 503);
      accessLog.push({ elbStatus: 503 });
      return;
    }
    const address = clientAddress ?? incoming.socket.remoteAddress ?? '';
    const headers = toTargetHeaders(incoming.rawHeaders, { address, listenerPort: port });
    const outcome = await pass(incoming, outgoing, {
      agent: targets.agent,
      target,
      headers,
      timeout: settings.idleTimeout,
    });
    accessLog.push({ target, elbStatus: outgoing.statusCode, ...outcome });
  }

  // 1.5 times the limit, so that a head that is too long is read and refused by `isTooLong`.
  const limits = { maxHeaderSize: 1.5 * HEADERS_LIMIT, keepAliveTimeout: settings.idleTimeout };
  const server = createServer(limits, (incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.maxHeadersCount = 0;
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket: Socket) => {
    if (code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    answerBroken(socket);
    accessLog.push({ elbStatus: 400 });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    host: `127.0.0.1:${port}`,
    healthy: targets.healthy,
    connections: targets.connections,
    accessLog,
    close: async () => {
      targets.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
