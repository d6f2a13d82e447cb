import { BlockList, isIP } from 'node:net';
import { ipv6Network } from '../../lib/ip.ts';

/**
 * RFC 1918, RFC 6598, loopback, link-local, RFC 4193: addresses that AWS never sees as
 * `aws:SourceIp`.
 */
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
PRIVATE.addAddress('::1', 'ipv6');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');

/**
 * The network that a caller's credentials are bound to, in CIDR notation, and whether it is
 * private.
 */
export type ClientNetwork = { readonly cidr: string; readonly isPrivate: boolean };

/**
 * The network of an address: an IPv4 address by itself, an IPv6 one by its /64, for hosts change
 * the rest at will. Undefined for what is no address, among them zone indexes and mixed notation.
 */
export function toClientNetwork(address: string | undefined): ClientNetwork | undefined {
  if (address === undefined) return undefined;
  const version = isIP(address);
  if (version === 4) return { cidr: `${address}/32`, isPrivate: PRIVATE.check(address, 'ipv4') };
  const network = address.includes('.') ? undefined : ipv6Network(address);
  if (network === undefined) return undefined;
  return { cidr: `${network}::/64`, isPrivate: PRIVATE.check(address, 'ipv6') };
}
