/** One address of a POP. Inside the program an address always has its ports; IPv6 is written in brackets. */
export interface EdgeAddress {
  readonly ip: string;
  /** Port for https URLs. */
  readonly port: number;
  /** Port for http URLs. */
  readonly httpPort: number;
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
