import { type EdgeAddress, formatAddress } from '../../core/pops/address.ts';
import { isPublicAddress } from '../../core/pops/address-policy.ts';
import type { PopResolution } from '../../core/ports/pop-resolver.ts';

const SHOWN_ADDRESSES = 8;

/** What remains of a POP's addresses: sorted, each once, private and reserved ones left out unless allowed. */
export function allowedAddresses(name: string, found: readonly EdgeAddress[], allowPrivate: boolean): PopResolution {
  const distinct = new Map(found.map((address) => [`${formatAddress(address.ip, address.port)} ${address.httpPort}`, address]));
  const sorted = [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, address]) => address);
  const addresses = allowPrivate ? sorted : sorted.filter(({ ip }) => isPublicAddress(ip));
  if (addresses.length > 0) return { state: 'resolved', addresses };
  const refused = sorted.slice(0, SHOWN_ADDRESSES).map(({ ip }) => ip);
  return {
    state: 'address_refused',
    detail: `${name} has private or reserved addresses only (${refused.join(', ')}); --allow-private-addresses lets them be used`,
  };
}
