import type { CachePolicy } from './cache-policy.ts';
import type { OriginObject } from './origin.ts';
import type { OriginNetwork } from './origin-connections.ts';

/** One simulated POP. */
interface SimulatedPop {
  /** `SIN2-P1`. */
  readonly pop: string;
  /** How many addresses it answers at; default 1. */
  readonly addresses?: number;
  /** Each address is a cache of its own; default false: they share one. */
  readonly separateCaches?: boolean;
  /** Name of the regional edge cache its misses go to; default `us-east-1`. */
  readonly regionalCache?: string;
}

/** Milliseconds added to the first byte at each tier that is asked. */
interface Latencies {
  readonly edgeMs: number;
  readonly regionalMs: number;
  readonly originMs: number;
}

/** Where the edge listens; 0: at any port that is free. */
interface EdgePorts {
  /** With `bind: 'addresses'` that of every address, with `bind: 'ports'` that of the first one, from which they count up. */
  readonly https: number;
  /** The same for http. */
  readonly http: number;
  readonly dns: number;
  readonly invalidation: number;
}

export interface SimulatedEdgeOptions {
  /** The distribution's own name; default `d111111abcdef8.cloudfront.net`. */
  readonly host?: string;
  /** Other names of the distribution. The certificate covers all names and `*.<name>`. */
  readonly aliases?: readonly string[];
  /** Further CNAME records (name to target) of the DNS server only, for chains. */
  readonly cnames?: Readonly<Record<string, string>>;
  /** Default: SIN2-P1 and FRA56-P4, one address each. */
  readonly pops?: readonly SimulatedPop[];
  /**
   * `ports` (default): every POP address is a port of 127.0.0.1, reached by an edge map; works everywhere.
   * `addresses`: every POP address is a 127.x.y.z of its own on one shared TLS and one shared http port, reached by DNS; Linux only.
   */
  readonly bind?: 'ports' | 'addresses';
  /** Default: any that are free. */
  readonly ports?: Partial<EdgePorts>;
  /**
   * What the origin has at a path (with its query string where the cache key has it); null: 404.
   * Default: `/o/<size>/<name>` is an object of that many bytes (`64k`, `10m`, `1g` too), anything else 404.
   */
  readonly objects?: (path: string) => OriginObject | null;
  readonly cachePolicy?: Partial<CachePolicy>;
  readonly latencies?: Partial<Latencies>;
  /**
   * The response headers policy has CloudFront's `Server-Timing` on, which is sent where a request says `Pragma: server-timing`.
   * Default false.
   */
  readonly serverTiming?: boolean;
  /** What `x-cache` says of an object that the POP lacks and a cache behind it has: CloudFront says `Hit`. Default `Miss`. */
  readonly regionalHits?: 'Hit' | 'Miss';
  /** One more cache, between the regional ones and the origin; default false. */
  readonly originShield?: boolean;
  /**
   * Connections from the POPs to the origin, for what may not be cached (`no-store`): opening one costs round trips, idle ones are
   * closed. POPs with `separateCaches` have those of each address apart. Default: every tier is reached at no cost.
   */
  readonly originNetwork?: OriginNetwork;
  /** From creating an invalidation to its effect and completion; default 0. */
  readonly invalidationDelayMs?: number;
  /** The caches' clock, milliseconds; default Date.now. */
  readonly now?: () => number;
}

export type ResolvedOptions = Required<
  Omit<SimulatedEdgeOptions, 'objects' | 'cachePolicy' | 'latencies' | 'pops' | 'originNetwork' | 'ports'>
> & {
  readonly pops: readonly Required<SimulatedPop>[];
  readonly latencies: Latencies;
  readonly ports: EdgePorts;
};

const POP_NAME = /^[A-Z]{3}\d+(-[A-Z]\d+)?$/;
const DEFAULT_POPS: readonly SimulatedPop[] = [{ pop: 'SIN2-P1' }, { pop: 'FRA56-P4' }];

function resolvePop(pop: SimulatedPop): Required<SimulatedPop> {
  const resolved = { addresses: 1, separateCaches: false, regionalCache: 'us-east-1', ...pop };
  if (!POP_NAME.test(resolved.pop)) throw new RangeError(`pops: ${JSON.stringify(pop.pop)} is no POP name such as SIN2-P1`);
  if (!Number.isInteger(resolved.addresses) || resolved.addresses < 1)
    throw new RangeError(`${pop.pop}: addresses must be an integer from 1`);
  return resolved;
}

/** Fills in the defaults. Throws RangeError for what cannot be simulated. */
export function resolveEdgeOptions(options: SimulatedEdgeOptions): ResolvedOptions {
  const pops = (options.pops ?? DEFAULT_POPS).map(resolvePop);
  if (pops.length === 0) throw new RangeError('pops: name at least one POP');
  if (new Set(pops.map(({ pop }) => pop)).size < pops.length) throw new RangeError('pops: a POP is named twice');
  return {
    host: (options.host ?? 'd111111abcdef8.cloudfront.net').toLowerCase(),
    aliases: (options.aliases ?? []).map((name) => name.toLowerCase()),
    cnames: options.cnames ?? {},
    pops,
    bind: options.bind ?? 'ports',
    ports: { https: 0, http: 0, dns: 0, invalidation: 0, ...options.ports },
    latencies: { edgeMs: 0, regionalMs: 0, originMs: 0, ...options.latencies },
    serverTiming: options.serverTiming ?? false,
    regionalHits: options.regionalHits ?? 'Miss',
    originShield: options.originShield ?? false,
    invalidationDelayMs: options.invalidationDelayMs ?? 0,
    now: options.now ?? Date.now,
  };
}
