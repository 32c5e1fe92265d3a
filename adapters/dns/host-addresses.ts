import { lookup, Resolver } from 'node:dns/promises';
import { isPublicAddress } from '../../core/pops/address-policy.ts';

export interface HostAddressesOptions {
  /** `ip:port` of the DNS server; absent: the system's own way, hosts file and all, as a viewer's. */
  readonly servers?: string;
  readonly allowPrivateAddresses: boolean;
}

export type HostAddress = { readonly ip: string } | { readonly error: 'dns' | 'address_refused'; readonly detail: string };

/** IPv6 where there is no IPv4. */
async function firstOf(resolver: Resolver, host: string): Promise<string | undefined> {
  try {
    return (await resolver.resolve4(host))[0];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENODATA') throw error;
    return (await resolver.resolve6(host))[0];
  }
}

/** Where a host's name leads now, asked anew each time. */
export function createHostAddresses({ servers, allowPrivateAddresses }: HostAddressesOptions): (host: string) => Promise<HostAddress> {
  let resolver: Resolver | null = null;
  if (servers !== undefined) {
    resolver = new Resolver();
    resolver.setServers([servers]);
  }
  const find = async (host: string) => (resolver === null ? (await lookup(host)).address : await firstOf(resolver, host));
  return async (host) => {
    try {
      const ip = await find(host);
      if (ip === undefined) return { error: 'dns', detail: `${host} has no address` };
      if (allowPrivateAddresses || isPublicAddress(ip)) return { ip };
      return {
        error: 'address_refused',
        detail: `${host} has the private or reserved address ${ip}; --allow-private-addresses lets it be used`,
      };
    } catch (error) {
      return { error: 'dns', detail: `${host}: ${error instanceof Error ? error.message : String(error)}` };
    }
  };
}
