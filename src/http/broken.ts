import type { Socket } from 'node:net';
import { SECOND } from '../lib/clock.ts';
import { newRequestId } from '../lib/ids.ts';
import { refusalAnswer, toBytes } from './answer.ts';
import type { Refusal } from './refusals.ts';

/**
 * Session tokens and a Lambda context together pass Node's default of 16 KiB. An ALB takes 64 KiB
 * and adds its own, so that what it lets through is read here.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
 */
export const HEADERS_LIMIT = 65 * 1024;

/** How long a head may take once it has begun, and how long a new connection may say nothing. */
export const HEAD_TIMEOUT = 5 * SECOND;

const TOO_SLOW = `The request did not arrive in time; send its head within ${HEAD_TIMEOUT / SECOND} s.`;
const UNREADABLE = 'This is not an HTTP request that can be read; the connection is closed.';

/**
 * The answer, as bytes, to what never became a request: Node's parser refused it, or it did not
 * arrive in time. Undefined if nobody waits for an answer.
 */
export function answerBroken({ code }: NodeJS.ErrnoException, socket: Socket): string | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    // A connection on which nothing was sent has asked nothing: an answer could meet its first
    // request.
    if (socket.bytesRead === 0) return undefined;
    return closing({ kind: 'invalid', message: TOO_SLOW });
  }
  if (code === 'HPE_HEADER_OVERFLOW')
    return closing({ kind: 'headers-too-large', part: 'headers', limit: HEADERS_LIMIT });
  return closing({ kind: 'invalid', message: UNREADABLE });
}

/** The answer, as bytes, to a connection that there is no room for. */
export function answerFull(): string {
  return closing({ kind: 'overloaded' });
}

function closing(refusal: Refusal): string {
  const { headers, ...answer } = refusalAnswer(newRequestId(), refusal);
  return toBytes({ ...answer, headers: { ...headers, connection: 'close' } });
}
