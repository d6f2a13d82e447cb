import { isIP } from 'node:net';
import { headerValues, type Header } from '../sigv4/request.ts';

/**
 * An IPv4 address as a dual-stack socket shows it, and one with a port, as some proxies write it.
 */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu;
const WITH_PORT = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([0-9a-f:.]+)\]):\d{1,5}$/iu;

function toAddress(text: string): string | undefined {
  const [, v4, v6] = WITH_PORT.exec(text) ?? [];
  const bare = v4 ?? v6 ?? text;
  const address = MAPPED.exec(bare)?.[1] ?? bare.toLowerCase();
  return isIP(address) === 0 ? undefined : address;
}

/**
 * Finds the caller's address. Without trusted hops it is the peer's; behind N proxies it is the
 * N-th entry of X-Forwarded-For from the right, because the caller can write anything to the left
 * of it. Undefined if there are fewer entries.
 */
export function clientAddress(
  headers: readonly Header[],
  peer: string | undefined,
  trustedHops: number,
): string | undefined {
  if (trustedHops === 0) return peer === undefined ? undefined : toAddress(peer);
  const hops = headerValues(headers, 'x-forwarded-for')
    .join(',')
    .split(',')
    .map((hop) => hop.trim());
  const claimed = hops[hops.length - trustedHops];
  return claimed === undefined ? undefined : toAddress(claimed);
}
