import { isIPv6 } from 'node:net';

/**
 * The first four groups of an IPv6 address, in one spelling for all that it has: its holder has the whole /64 and changes
 * the rest at will. Undefined for what is no IPv6 address, and for one with a zone.
 */
export const ipv6Network = (address: string): string | undefined => {
  if (!isIPv6(address) || address.includes('%')) return undefined;
  // URL's parser is the one that brings all spellings (leading zeros, capitals, an IPv4 tail) to one.
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array.from({ length: zeros }, () => '0'), ...right].slice(0, 4).join(':');
};
