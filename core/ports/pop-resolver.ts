import type { EdgeAddress } from '../pops/address.ts';

/** What a POP's name led to. `pop_unresolvable` covers NXDOMAIN, an empty answer, and a resolver that stays silent after retries. */
export type PopResolution =
  | { readonly state: 'resolved'; readonly addresses: readonly EdgeAddress[] }
  | { readonly state: 'pop_unresolvable'; readonly detail: string }
  | { readonly state: 'address_refused'; readonly detail: string };

export interface PopResolver {
  /** Addresses of `<label>.<POP>.<suffix>` in stable (sorted) order; refused ones are left out, `address_refused` when none remains. */
  resolvePop(domain: string | null, pop: string): Promise<PopResolution>;
  /** The distribution's own name at the end of the host's CNAME chain (at most 8 steps); null when the chain ends elsewhere. */
  findDistribution(host: string): Promise<string | null>;
  /** Whether the host is known to have an address. Absent: nobody can tell. */
  hasAddress?(host: string): Promise<boolean>;
}
