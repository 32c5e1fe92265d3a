import { bytesOnTheWay, type Upstream } from './upstream.ts';

/** What one place (a POP address, a regional edge cache) was asked and sent. */
export interface Traffic {
  /** GETs without Range. */
  gets: number;
  heads: number;
  ranges: number;
  /** Of any method, RefreshHits included. */
  hits: number;
  misses: number;
  /** Of the hits, those that asked the origin whether they still hold. */
  refreshHits: number;
  /** Answers from status 400 on, faults included. */
  errors: number;
  /** GETs without Range answered 2xx and delivered in full. */
  delivered: number;
  /** Body bytes handed to the connection; of a download that was broken off perhaps more than the client read. */
  bodyBytes: number;
}

/** What the origin was asked. */
export interface OriginTraffic {
  /** Whole objects sent. */
  fetches: number;
  heads: number;
  ranges: number;
  /** Conditional requests answered with "not modified". */
  revalidations: number;
  /** Body bytes of what was delivered in full to the tier that asked. */
  bodyBytes: number;
}

export const newTraffic = (): Traffic => ({
  gets: 0,
  heads: 0,
  ranges: 0,
  hits: 0,
  misses: 0,
  refreshHits: 0,
  errors: 0,
  delivered: 0,
  bodyBytes: 0,
});

export const newOriginTraffic = (): OriginTraffic => ({ fetches: 0, heads: 0, ranges: 0, revalidations: 0, bodyBytes: 0 });

/** Counters per object, made when first counted. */
export type TrafficMap<T> = Map<string, T>;

export function trafficOf<T>(objects: TrafficMap<T>, object: string, make: () => T): T {
  const known = objects.get(object);
  if (known !== undefined) return known;
  const made = make();
  objects.set(object, made);
  return made;
}

export interface TrafficSnapshot<T> {
  readonly total: T;
  /** By cache key: the path, with the query string and headers that the policy has in the key. */
  readonly objects: ReadonlyMap<string, T>;
}

/** A copy that later requests do not change. */
export function snapshotTraffic<T extends object>(objects: TrafficMap<T>, make: () => T): TrafficSnapshot<T> {
  const copy = new Map<string, T>();
  for (const [object, traffic] of objects) copy.set(object, { ...traffic });
  return { total: sumTraffic(objects.values(), make), objects: copy };
}

export function sumTraffic<T extends object>(parts: Iterable<T>, make: () => T): T {
  const total = make() as Record<string, number>;
  for (const part of parts) for (const [name, value] of Object.entries(part)) total[name] = (total[name] ?? 0) + Number(value);
  return total as T;
}

/** The same tier, counting what is asked of it. */
export function countedTier(tier: Upstream, objects: TrafficMap<Traffic>): Upstream {
  const countFound = (traffic: Traffic, found: 'hit' | 'miss' | 'refresh') => {
    if (found === 'miss') traffic.misses++;
    else traffic.hits++;
    if (found === 'refresh') traffic.refreshHits++;
  };
  return {
    async open(want) {
      const traffic = trafficOf(objects, want.key, newTraffic);
      if (want.range === null) traffic.gets++;
      else traffic.ranges++;
      const opened = await tier.open(want);
      countFound(traffic, opened.found);
      if (opened.meta.status >= 400) traffic.errors++;
      const whole = want.range === null && !opened.notModified && opened.meta.status < 300;
      return {
        ...opened,
        settle(delivered) {
          if (delivered) traffic.bodyBytes += bytesOnTheWay(opened, want);
          if (delivered && whole) traffic.delivered++;
          return opened.settle(delivered);
        },
      };
    },
    async head(want) {
      const traffic = trafficOf(objects, want.key, newTraffic);
      traffic.heads++;
      const looked = await tier.head(want);
      countFound(traffic, looked.found);
      return looked;
    },
  };
}
