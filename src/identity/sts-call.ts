import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { SECOND } from '../lib/clock.ts';

/** What STS, or whatever stands in its place, answered. */
export type StsReply = {
  readonly status: number;
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly body: Uint8Array;
};

/** A request to STS: everything of it is the server's own, but the values of headers that the caller signed. */
export type StsRequest = {
  /** The host that was signed for; where the connection goes unless the endpoint of a desk takes its place. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Sends one request to STS. Rejects when there is no whole answer in time, or one that is too long. */
export type AskSts = (request: StsRequest) => Promise<StsReply>;

/** The longest answer, in bytes: a good one has about 500. */
const ANSWER_LIMIT = 8 * 1024;

const DEADLINE = 5 * SECOND;

/** In each region: as many as are asked about at once. */
const MAX_SOCKETS = 64;

/**
 * The client for forwarded requests. The SDK's would sign them itself and follow its own rules; this one follows no
 * redirect, decompresses nothing, takes no proxy from the environment, and ends every call by a deadline.
 *
 * @param endpoint a desk's AWS that takes the place of every region's STS; the Host header stays as signed
 * @param deadline milliseconds for one call, the connection included
 */
export function createStsClient(endpoint: string | undefined, deadline = DEADLINE): AskSts {
  const desk = endpoint === undefined ? undefined : new URL(endpoint);
  const isPlain = desk?.protocol === 'http:';
  // Agents of our own: Node's global one may be told of a proxy by the environment.
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const send = isPlain ? httpRequest : httpsRequest;
  /** By the host that was signed for, of which there is one a region: on a desk, too, one stops no other. */
  const agents = new Map<string, HttpAgent>();
  function agentOf(host: string): HttpAgent {
    const known = agents.get(host);
    if (known !== undefined) return known;
    const agent = isPlain ? new HttpAgent(options) : new HttpsAgent({ ...options, minVersion: 'TLSv1.2' });
    agents.set(host, agent);
    return agent;
  }

  function attempt({ host, headers, body }: StsRequest, signal: AbortSignal, isRetry: boolean): Promise<StsReply> {
    return new Promise((resolve, reject) => {
      const place =
        desk === undefined
          ? { host, port: 443 }
          : { host: desk.hostname.replace(/^\[|\]$/gu, ''), port: desk.port || (isPlain ? 80 : 443) };
      const outgoing = send({
        ...place,
        agent: agentOf(host),
        method: 'POST',
        path: '/',
        headers: { ...headers, host },
        signal,
      });
      outgoing.on('response', (answer) => void readReply(answer).then(resolve, reject));
      // Who asks for another protocol is not STS; without a listener Node would only hang up.
      outgoing.on('upgrade', (_, socket) => {
        socket.destroy();
        reject(new Error('the answer asks for another protocol'));
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // The other end closed an idle connection just as it was taken up again. The call reads only, so it may come twice.
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
      if (size > ANSWER_LIMIT) answer.destroy(new Error(`the answer is longer than ${ANSWER_LIMIT} bytes`));
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
