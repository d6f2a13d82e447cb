import { createHmac } from 'node:crypto';

/**
 * The value of `X-Sentinel-Signature`: `v1=` and the HMAC-SHA256, in hexadecimal digits, over the
 * timestamp, a dot and the body. With two keys there are two of them between commas; a receiver
 * needs one that it can verify.
 *
 * @param timestamp the value of `X-Sentinel-Timestamp`: seconds since the epoch, of this attempt
 */
export function signEvent(keys: readonly Uint8Array[], timestamp: string, body: string): string {
  return keys
    .map((key) => `v1=${createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex')}`)
    .join(',');
}
