import { closeAddresses } from './bind-addresses.ts';
import type { Connections } from './connections.ts';
import { type Fault, type FaultMatch, type FaultRules, isConnectionFault, matchesPlace } from './fault-rules.ts';
import type { PopAddress } from './pop-address.ts';

export interface EdgeFaults {
  readonly set: (match: FaultMatch, fault: Fault) => () => Promise<void>;
  /** No address opens again after this. */
  close(): void;
}

/** Faults set while the edge runs: those of connections end the ones that stand, a refused address closes its ports. */
export function createEdgeFaults(rules: FaultRules, places: readonly PopAddress[], connections: Connections): EdgeFaults {
  let closed = false;
  return {
    set(match, fault) {
      const remove = rules.add(match, fault);
      const matches = (place: PopAddress) => matchesPlace(match, place);
      if (fault.kind === 'dead' && fault.how === 'refuses') closeAddresses(places.filter(matches).map(({ bound }) => bound));
      if (isConnectionFault(fault)) connections.drop(matches);
      return async () => {
        remove();
        if (closed) return;
        const alive = places.filter((place) => !rules.refuses(place));
        await Promise.all(alive.flatMap(({ bound }) => [bound.secure.reopen(), bound.plain.reopen()]));
      };
    },
    close() {
      closed = true;
      closeAddresses(places.map(({ bound }) => bound));
      connections.drop(() => true);
    },
  };
}
