import type { BoundAddress } from './bind-addresses.ts';
import type { CacheTier } from './cache-tier.ts';
import type { FaultPlace } from './fault-rules.ts';
import type { Traffic, TrafficMap } from './traffic.ts';

/** One address of a POP: its ports, the cache behind it, and what it was asked. */
export interface PopAddress extends FaultPlace {
  readonly bound: BoundAddress;
  readonly cache: CacheTier;
  readonly traffic: TrafficMap<Traffic>;
}
