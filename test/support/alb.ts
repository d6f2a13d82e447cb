import { once } from 'node:events';
import { createServer, request, STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { HEADERS_LIMIT, isTooLong, toClientHeaders, toTargetHeaders } from './alb-headers.ts';
import { createTargets, type Targets, type TargetSettings } from './alb-targets.ts';

/** One request in the access log, in the words of AWS's own. */
export type AccessLogEntry = {
  /** The port of the target that it was sent to; undefined if the load balancer answered alone. */
  readonly target?: number;
  /** What the client was answered. */
  readonly elbStatus: number;
  /** What the target answered; undefined if it did not. */
  readonly targetStatus?: number;
  /** Why there is no answer of the target. */
  readonly reason?: string;
};

/** A load balancer in front of some targets. */
export type Alb = Pick<Targets, 'healthy' | 'connections'> & {
  readonly port: number;
  /** The Host header that a client sends. */
  readonly host: string;
  readonly accessLog: readonly AccessLogEntry[];
  readonly close: () => Promise<void>;
};

/** Settings that differ from a real one's in their scale only; times in milliseconds. */
export type AlbOptions = Partial<TargetSettings> & {
  /** What the load balancer takes for the address of its client; by default the peer's. */
  readonly clientAddress?: string;
};

const DEFAULTS: TargetSettings = {
  healthPath: '/healthz',
  healthInterval: 200,
  unhealthyThreshold: 2,
  healthyThreshold: 2,
  idleTimeout: 10_000,
};

/** A target that answers with longer headers is answered for with 502. */
const RESPONSE_HEADERS_LIMIT = 32 * 1024;

function pageOf(status: number): string {
  return `<html>\r\n<head><title>${status} ${STATUS_CODES[status]}</title></head>\r\n</html>\r\n`;
}

/** Answers in the load balancer's own name, as every one of its errors is: in HTML. */
function answerAlone(outgoing: ServerResponse, status: number): void {
  const headers = { server: 'awselb/2.0', 'content-type': 'text/html', 'content-length': pageOf(status).length };
  outgoing.writeHead(status, status === 400 ? { ...headers, connection: 'close' } : headers).end(pageOf(status));
}

function answerBroken(socket: Socket): void {
  const page = pageOf(400);
  const head = `HTTP/1.1 400 Bad Request\r\nServer: awselb/2.0\r\nContent-Length: ${page.length}\r\nConnection: close\r\n`;
  socket.end(`${head}Content-Type: text/html\r\n\r\n${page}`);
}

/** The error of a target that let the idle timeout pass. */
const TIMED_OUT = 'ETIMEDOUT';

/**
 * Sends a request to its target, once: whatever becomes of it there, it is not sent again, so that a request that was
 * lost can be seen. Bodies are passed on as they come.
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
 * Starts a load balancer on a free port, before targets on these ports of 127.0.0.1. It does what an Application Load
 * Balancer of AWS does to HTTP/1.1: health checks, round robin over kept connections, headers, limits and errors.
 */
export async function startAlb(ports: readonly number[], { clientAddress, ...options }: AlbOptions = {}): Promise<Alb> {
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

  // Half as much again: what is too long shall be read, and refused by what it is.
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
