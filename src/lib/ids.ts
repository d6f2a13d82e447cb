import { randomBytes, randomUUID } from 'node:crypto';

/**
 * Sixteen lower-case hexadecimal digits from the system's random source: Sentinel's format of every
 * id.
 */
export function newHexId(): string {
  return randomBytes(8).toString('hex');
}

/** The id of one HTTP request, sent back as `x-request-id`. Never taken from the client. */
export function newRequestId(): string {
  return randomUUID();
}
