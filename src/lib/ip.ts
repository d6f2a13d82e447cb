import { isIPv6 } from 'node:net';

/**
 * How many groups of an IPv6 address name a network: a /64 is one host's, a /48 is the largest that
 * one site has.
 */
const HOST_GROUPS = 4;
const SITE_GROUPS = 3;

/**
 * The first groups of an IPv6 address, in one spelling. Undefined for any other text, and for an
 * address with a zone.
 */
function ipv6Groups(address: string, count: number): string | undefined {
  if (!isIPv6(address) || address.includes('%')) return undefined;
  // URL's parser brings all spellings (leading zeros, capitals, an IPv4 tail) to one.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, count).join(':');
}

/**
 * The /64 of an IPv6 address: its holder has the whole of it and can change the rest at will.
 * Undefined for any other text, and for an address with a zone.
 */
export function ipv6Network(address: string): string | undefined {
  return ipv6Groups(address, HOST_GROUPS);
}

/**
 * What counts as one source: an IPv4 address or an IPv6 /64. All callers whose address is unknown
 * count as one.
 */
export function sourceOf(address: string | undefined): string {
  if (address === undefined || address === '') return 'unknown';
  return ipv6Network(address) ?? address;
}

/** The /48 of an IPv6 address, which one site can hold whole; undefined for any other text. */
export function siteOf(address: string | undefined): string | undefined {
  const groups = ipv6Groups(address ?? '', SITE_GROUPS);
  return groups === undefined ? undefined : `${groups}::/48`;
}
