import { BlockList, isIPv4, isIPv6 } from 'node:net';

function blockList(subnets: readonly (readonly [address: string, bits: number])[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of subnets)
    list.addSubnet(address, bits, isIPv4(address) ? 'ipv4' : 'ipv6');
  return list;
}

const LOOPBACK = blockList([['127.0.0.0', 8]]);
const LOOPBACK_IPV6 = blockList([['::1', 128]]);

/**
 * Never an address of a receiver: this host itself, link-local addresses (with the metadata of EC2,
 * ECS and EKS, and fd00:ec2::/32 where that is IPv6), and what reaches more than one host.
 * Addresses of private networks are allowed: a company's own receiver lies there.
 * https://www.iana.org/assignments/iana-ipv4-special-registry,
 * https://www.iana.org/assignments/iana-ipv6-special-registry
 */
const NEVER = blockList([
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // Metadata of Alibaba Cloud and of Oracle Cloud, outside the range of the others.
  ['100.100.100.200', 32],
  ['192.0.0.192', 32],
  ['::', 128],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
  ['fd00:ec2::', 32],
]);

/**
 * Ways to write or to reach an IPv4 address by IPv6: mapped, compatible, translated (NAT64) and
 * 6to4.
 */
const EMBEDDING = blockList([
  ['::ffff:0:0', 96],
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2002::', 16],
]);

/**
 * Whether a webhook may be connected to at this address.
 *
 * @param allowsLoopback whether it may be this very machine: only where the AWS endpoint is local
 */
export function isReachable(address: string, allowsLoopback: boolean): boolean {
  if (isIPv4(address)) return LOOPBACK.check(address) ? allowsLoopback : !NEVER.check(address);
  // With a zone it is link-local.
  if (!isIPv6(address) || address.includes('%')) return false;
  if (LOOPBACK_IPV6.check(address, 'ipv6')) return allowsLoopback;
  return !EMBEDDING.check(address, 'ipv6') && !NEVER.check(address, 'ipv6');
}
