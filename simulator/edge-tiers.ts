import { resolveCachePolicy, ttlOf } from './cache-policy.ts';
import { type CacheTier, createCacheTier } from './cache-tier.ts';
import type { EdgeClock } from './edge-clock.ts';
import type { ResolvedOptions, SimulatedEdgeOptions } from './simulated-edge-options.ts';
import { createOrigin, describeObject, objectBySize } from './origin.ts';
import { createDynamicPath, createOriginConnections } from './origin-connections.ts';
import { countedTier, type OriginTraffic, type Traffic, type TrafficMap } from './traffic.ts';
import type { Layer, Upstream } from './upstream.ts';

/** A regional edge cache and what it was asked. */
interface RegionalTier {
  readonly cache: CacheTier;
  readonly traffic: TrafficMap<Traffic>;
}

export interface EdgeTiers {
  /** By name. */
  readonly regional: ReadonlyMap<string, RegionalTier>;
  /** One per POP address, in the order of the options; addresses that share a cache have the same. */
  readonly popCaches: readonly { readonly pop: string; readonly cache: CacheTier }[];
  /** Null: the distribution has no Origin Shield. */
  readonly shield: CacheTier | null;
  readonly originTraffic: TrafficMap<OriginTraffic>;
}

/** POP caches over regional edge caches over the origin. */
export function createEdgeTiers(options: SimulatedEdgeOptions, resolved: ResolvedOptions, clock: EdgeClock): EdgeTiers {
  const { latencies } = resolved;
  const policy = resolveCachePolicy(options.cachePolicy ?? {});
  const cacheOver = (layer: Layer, upstream: Upstream, latencyMs: number) =>
    createCacheTier({ layer, upstream, latencyMs, clock, ttlOf: (meta) => ttlOf(policy, meta) });

  const originTraffic: TrafficMap<OriginTraffic> = new Map();
  const objects = options.objects ?? objectBySize;
  const origin = createOrigin({ objects, latencyMs: latencies.originMs, clock, traffic: originTraffic });

  const shield = resolved.originShield ? cacheOver('shield', origin, 0) : null;

  const { originNetwork: network } = options;
  const upstreamOf = (pop: string, cacheable: Upstream): Upstream =>
    network === undefined
      ? cacheable
      : createDynamicPath({
          cacheable,
          origin,
          isDynamic: ({ object }) => ttlOf(policy, describeObject(object, objects)) === null,
          connections: createOriginConnections(network, clock.now),
          roundTripMs: network.roundTripMs(pop),
          wait: clock.wait,
        });

  const regional = new Map<string, RegionalTier>();
  const popCaches = resolved.pops.flatMap(({ pop, addresses, separateCaches, regionalCache }) => {
    const above = regional.get(regionalCache) ?? {
      cache: cacheOver('regional', shield ?? origin, latencies.regionalMs),
      traffic: new Map(),
    };
    regional.set(regionalCache, above);
    const cacheable = countedTier(above.cache, above.traffic);
    const place = () => cacheOver('edge', upstreamOf(pop, cacheable), 0);
    const shared = place();
    return Array.from({ length: addresses }, () => ({ pop, cache: separateCaches ? place() : shared }));
  });
  return { regional, popCaches, shield, originTraffic };
}
