import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** IANA's IPv4 special-purpose registry (2026), less what is globally reachable; multicast and 240/4 added. */
const NOT_PUBLIC_IPV4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/**
 * Inside 2000::/3, the only space that is routed: protocol assignments (Teredo, benchmarking and ORCHID among them),
 * documentation, and 6to4, which would reach whatever IPv4 address it embeds.
 */
const NOT_PUBLIC_IPV6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const notPublicIpv4 = new BlockList();
for (const [network, prefix] of NOT_PUBLIC_IPV4) notPublicIpv4.addSubnet(network, prefix, 'ipv4');
const notPublicIpv6 = new BlockList();
for (const [network, prefix] of NOT_PUBLIC_IPV6) notPublicIpv6.addSubnet(network, prefix, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
const ipv4Mapped = new BlockList();
ipv4Mapped.addSubnet('::ffff:0:0', 96, 'ipv6');

/**
 * Whether `ip` (IPv4, or IPv6 without brackets) may belong to an edge on the public internet. IPv4-mapped addresses are
 * judged as the IPv4 address inside; NAT64, 6to4 and Teredo are refused whatever they embed; anything else that is no address is not public.
 */
export function isPublicAddress(ip: string): boolean {
  if (isIPv4(ip)) return !notPublicIpv4.check(ip, 'ipv4');
  if (!isIPv6(ip) || ip.includes('%')) return false;
  // BlockList compares a mapped address with IPv4 rules by itself.
  if (ipv4Mapped.check(ip, 'ipv6')) return !notPublicIpv4.check(ip, 'ipv6');
  return globalUnicast.check(ip, 'ipv6') && !notPublicIpv6.check(ip, 'ipv6');
}

/** Whether `host`, a name or an address without brackets, is this machine and cannot be reached from another one. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
