import type { IncomingMessage } from 'node:http';
import { SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { Refusal } from './refusals.ts';

/** The longest body, in bytes; the longest request that means anything is far shorter. */
export const BODY_LIMIT = 64 * 1024;

/**
 * How long a body may take to arrive; its sender holds a connection, and nothing is worked on
 * meanwhile.
 */
const DEADLINE = 10 * SECOND;

const EMPTY = new Uint8Array();

/**
 * Reads a request's body from the socket's own stream, as the signature covers it. Refuses a body
 * over the limit before it has arrived, and one that does not arrive.
 */
export function readBody(incoming: IncomingMessage): Promise<Result<Uint8Array, Refusal>> {
  const { 'content-length': length, 'transfer-encoding': encoding } = incoming.headers;
  if ((length === undefined || length === '0') && encoding === undefined)
    return Promise.resolve(ok(EMPTY));
  if (Number(length) > BODY_LIMIT) return Promise.resolve(tooLarge);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    function settle(result: Result<Uint8Array, Refusal>): void {
      clearTimeout(timer);
      incoming.off('data', onData).off('end', onEnd).off('close', onClose);
      resolve(result);
    }
    function onData(chunk: Buffer): void {
      size += chunk.length;
      if (size > BODY_LIMIT) settle(tooLarge);
      else chunks.push(chunk);
    }
    function onEnd(): void {
      return settle(ok(Buffer.concat(chunks)));
    }
    function onClose(): void {
      return settle(refuse({ kind: 'body-too-slow' }));
    }
    const timer = setTimeout(onClose, DEADLINE);
    incoming.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

const tooLarge = refuse<Refusal>({ kind: 'body-too-large', limit: BODY_LIMIT });
