import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { SECOND } from '../lib/clock.ts';

/** The answer of STS, or of whatever is in its place. */
export type StsReply = {
  readonly status: number;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly body: Uint8Array;
};

/**
 * A request to STS. All of it is the server's own, except the values of headers that the caller
 * signed.
 */
export type StsRequest = {
  /** The host that was signed for. The connection goes there, unless an endpoint is configured. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Sends one request to STS. Rejects if the answer does not arrive in time, or is too long. */
export type AskSts = (request: StsRequest) => Promise<StsReply>;

/** The longest answer that is read, in bytes: a good one has about 500. */
const ANSWER_LIMIT = 8 * 1024;

/** How long a call may take, the connection included: callers wait for it. */
const DEADLINE = 5 * SECOND;

/** Connections to each region: as many as there are calls at once (`LINE` in `sts-line.ts`). */
const MAX_SOCKETS = 64;

/**
 * The client for forwarded requests. The SDK's client would sign them itself. This one follows no
 * redirect, decompresses nothing, takes no proxy from the environment, and ends every call at a
 * deadline.
 *
 * @param endpoint a local AWS that replaces the STS of every region; the Host header stays as
 *   signed
 * @param deadline milliseconds for one call, the connection included
 */
export function createStsClient(endpoint: string | undefined, deadline = DEADLINE): AskSts {
  const local = endpoint === undefined ? undefined : new URL(endpoint);
  const isPlain = local?.protocol === 'http:';
  // Node's global agent may take a proxy from the environment; agents of our own do not.
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const send = isPlain ? httpRequest : httpsRequest;
  /**
   * One agent for each signed host, so that a slow region does not stop another. Entries stay:
   * there are as many as the table of STS hosts has regions.
   */
  const agents = new Map<string, HttpAgent>();

  function agentOf(host: string): HttpAgent {
    const known = agents.get(host);
    if (known !== undefined) return known;
    const agent = isPlain
      ? new HttpAgent(options)
      : new HttpsAgent({ ...options, minVersion: 'TLSv1.2' });
    agents.set(host, agent);
    return agent;
  }

  function attempt(
    { host, headers, body }: StsRequest,
    signal: AbortSignal,
    isRetry: boolean,
  ): Promise<StsReply> {
    return new Promise((resolve, reject) => {
      const place =
        local === undefined
          ? { host, port: 443 }
          : {
              host: local.hostname.replace(/^\[|\]$/gu, ''),
              port: local.port || (isPlain ? 80 : 443),
            };
      const outgoing = send({
        ...place,
        agent: agentOf(host),
        method: 'POST',
        path: '/',
        headers: { ...headers, host },
        signal,
      });
      outgoing.on('response', (answer) => void readReply(answer).then(resolve, reject));
      // STS never asks for another protocol. Without a listener Node would close the connection
      // without an error.
      outgoing.on('upgrade', (_, socket) => {
        socket.destroy();
        reject(new Error('the answer asks for another protocol'));
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection just as it was used again. The call only reads, so
        // it may be sent twice.
        if (outgoing.reusedSocket && error.code === 'ECONNRESET' && !isRetry) {
          resolve(attempt({ host, headers, body }, signal, true));
        } else reject(error);
      });
      outgoing.end(body);
    });
  }

  function askSts(request: StsRequest): Promise<StsReply> {
    return attempt(request, AbortSignal.timeout(deadline), false);
  }

  return askSts;
}

function readReply(answer: IncomingMessage): Promise<StsReply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    answer.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > ANSWER_LIMIT)
        answer.destroy(new Error(`the answer is longer than ${ANSWER_LIMIT} bytes`));
      else chunks.push(chunk);
    });
    answer.on('end', () =>
      resolve({
        status: answer.statusCode ?? 0,
        contentType: answer.headers['content-type'] ?? '',
        contentEncoding: answer.headers['content-encoding'] ?? '',
        body: Buffer.concat(chunks),
      }),
    );
    answer.on('error', reject);
    answer.on('close', () => reject(new Error('the connection ended before the answer did')));
  });
}
