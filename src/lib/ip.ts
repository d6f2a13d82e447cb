import { isIPv6 } from 'node:net';

/** Groups of an IPv6 address that name a network: /64, what one host has, and /48, what one site has at most. */
const HOST_GROUPS = 4;
const SITE_GROUPS = 3;

/**
 * The first groups of an IPv6 address, in one spelling for all that it has. Undefined for what is no IPv6 address, and
 * for one with a zone.
 */
function ipv6Groups(address: string, count: number): string | undefined {
  if (!isIPv6(address) || address.includes('%')) return undefined;
  // URL's parser is the one that brings all spellings (leading zeros, capitals, an IPv4 tail) to one.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, count).join(':');
}

/**
 * The /64 of an IPv6 address: its holder has the whole of it and changes the rest at will. Undefined for what is no IPv6
 * address, and for one with a zone.
 */
export function ipv6Network(address: string): string | undefined {
  return ipv6Groups(address, HOST_GROUPS);
}

/**
 * What is counted as one source: an IPv4 address, an IPv6 /64, and one for all whose address is unknown.
 */
export function sourceOf(address: string | undefined): string {
  if (address === undefined || address === '') return 'unknown';
  return ipv6Network(address) ?? address;
}

/** The /48 that an IPv6 address lies in, which one site can hold whole; undefined for everything else. */
export function siteOf(address: string | undefined): string | undefined {
  const groups = ipv6Groups(address ?? '', SITE_GROUPS);
  return groups === undefined ? undefined : `${groups}::/48`;
}
