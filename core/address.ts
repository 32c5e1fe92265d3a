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
