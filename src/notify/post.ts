import type { LookupAddress } from 'node:dns';
import { lookup as lookUp } from 'node:dns/promises';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { SECOND } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { isReachable } from './addresses.ts';

/** What is posted. */
export type Posting = { readonly headers: Readonly<Record<string, string>>; readonly body: string };

/** How receivers are reached. */
export type Way = {
  /** Whether this very machine may be one: only where the AWS endpoint is local. */
  readonly allowsLoopback: boolean;
  /** All addresses of a host name, asked for once a posting. */
  readonly resolve: (host: string) => Promise<readonly LookupAddress[]>;
  /** Certificates to trust; undefined for those that Node trusts. */
  readonly ca: string | undefined;
};

/** One posting as a whole: name, connection, TLS, head and body of the answer. */
const DEADLINE = 5 * SECOND;

/**
 * Nothing in an answer is of use. One that is longer comes from something else, such as a page to
 * log in at.
 */
const MAX_ANSWER = 4 * 1024;
const MAX_HEAD = 8 * 1024;

/** Resolves a host name by the system. */
export function resolveHost(host: string): Promise<readonly LookupAddress[]> {
  return lookUp(host, { all: true });
}

/**
 * Posts something once. Nobody is followed: a redirect is a refusal. The host is resolved once; if
 * any of its addresses is one that events are not sent to, none is connected to, else those very
 * addresses are. Never rejects, and no refusal holds anything of the URL.
 */
export async function post(
  url: URL,
  posting: Posting,
  way: Way,
): Promise<Result<undefined, string>> {
  try {
    return await withDeadline(DEADLINE, 'the posting', async (signal) => {
      const addresses = await way.resolve(url.hostname.replace(/^\[|\]$/gu, ''));
      const areReachable = addresses.every(({ address }) =>
        isReachable(address, way.allowsLoopback),
      );
      if (addresses.length === 0 || !areReachable)
        return refuse('its address is one that events are not sent to');
      signal.throwIfAborted();
      const answer = await send(url, posting, { addresses, signal, ca: way.ca });
      return await judge(answer);
    });
  } catch (error) {
    return refuse(reasonOf(error));
  }
}

type Sending = {
  readonly addresses: readonly LookupAddress[];
  readonly signal: AbortSignal;
  readonly ca: string | undefined;
};

/** Resolves with the head of the answer. */
function send(
  url: URL,
  { headers, body }: Posting,
  { addresses, signal, ca }: Sending,
): Promise<IncomingMessage> {
  const [first] = addresses;
  const lookup: LookupFunction = (_host, options, found) => {
    if (options.all === true) found(null, [...addresses]);
    else found(null, first?.address ?? '', first?.family ?? 4);
  };
  const common = {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    lookup,
    signal,
    maxHeaderSize: MAX_HEAD,
  };
  return new Promise((resolve, reject) => {
    // Agents of their own: a connection is used once, and no proxy of the environment comes
    // between.
    const request =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...common, agent: new HttpsAgent(), ca, rejectUnauthorized: true })
        : httpRequest(url, { ...common, agent: new HttpAgent() });
    request.once('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

async function judge(answer: IncomingMessage): Promise<Result<undefined, string>> {
  const { statusCode: status = 0 } = answer;
  let size = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MAX_ANSWER) return refuse(`it answered more than ${MAX_ANSWER} bytes`);
    }
  } finally {
    answer.destroy();
  }
  if (status >= 300 && status < 400)
    return refuse(`it redirects (${status}), and nobody is followed`);
  return status >= 200 && status < 300 ? ok(undefined) : refuse(`it answered ${status}`);
}

/** By codes and names alone: messages of Node name the host. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it failed';
  if (error.name === 'TimeoutError') return `it did not answer within ${DEADLINE / SECOND} s`;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && /^[A-Z0-9_]+$/u.test(code)
    ? `it failed: ${code}`
    : 'it failed';
}
