/** One address of a POP. Inside the program an address always has its ports; IPv6 is written in brackets. */
export interface EdgeAddress {
  readonly ip: string;
  /** Port for https URLs. */
  readonly port: number;
  /** Port for http URLs. */
  readonly httpPort: number;
}

const isIpv6 = ({ ip }: EdgeAddress): boolean => ip.includes(':');

/**
 * The addresses of a POP in the order of their use. IPv6 ones beside IPv4 ones are a last resort, since the machine may have no way to
 * them, and the same caches answer there.
 */
export function splitAddresses(addresses: readonly EdgeAddress[]): {
  readonly first: readonly EdgeAddress[];
  readonly lastResort: readonly EdgeAddress[];
} {
  const ipv4 = addresses.filter((address) => !isIpv6(address));
  if (ipv4.length === 0 || ipv4.length === addresses.length) return { first: addresses, lastResort: [] };
  return { first: ipv4, lastResort: addresses.filter(isIpv6) };
}

/** `ip:port` for people and reports. */
export function formatAddress(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** `ip:port/httpPort`: a whole address in one text, as a POP's row keeps it. */
export function storeAddress({ ip, port, httpPort }: EdgeAddress): string {
  return `${formatAddress(ip, port)}/${httpPort}`;
}

const STORED_ADDRESS = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)\/(\d+)$/;

/** Reads what `storeAddress` wrote; null for a text without the http port, which rows of earlier versions have. */
export function readStoredAddress(text: string): EdgeAddress | null {
  const [, ipv6, ipv4, port, httpPort] = STORED_ADDRESS.exec(text) ?? [];
  const ip = ipv6 ?? ipv4;
  return ip === undefined ? null : { ip, port: Number(port), httpPort: Number(httpPort) };
}

/** The part of a stored address that people are shown: `ip:port` of https. */
export function shownAddress(text: string): string {
  return text.replace(/\/\d+$/, '');
}
