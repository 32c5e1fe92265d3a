import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bindAddresses } from './bind-addresses.ts';
import { type CacheKeyOf, createCacheKeyOf, resolveCachePolicy } from './cache-policy.ts';
import { createConnections, createEdgeFaults, type PopAddress } from './connections.ts';
import { createDnsServer, type DnsFault } from './dns-server.ts';
import { createDnsZone, type DnsZone } from './dns-zone.ts';
import { createEdgeCertificates } from './edge-certificates.ts';
import { createEdgeClock, type EdgeClock } from './edge-clock.ts';
import { createEdgeFront } from './edge-front.ts';
import { type ResolvedOptions, resolveEdgeOptions, type SimulatedEdgeOptions } from './simulated-edge-options.ts';
import { createEdgeTiers, type EdgeTiers } from './edge-tiers.ts';
import { createFaultRules, type Fault, type FaultMatch, type FaultRules } from './fault-rules.ts';
import { openInvalidationEndpoint } from './invalidation-endpoint.ts';
import { createInvalidations, type SimulatedInvalidations } from './invalidations.ts';
import {
  newOriginTraffic,
  newTraffic,
  type OriginTraffic,
  snapshotTraffic,
  sumTraffic,
  type Traffic,
  type TrafficSnapshot,
} from './traffic.ts';

/** A copy of all counters. */
interface EdgeCounters {
  /** All POP addresses together. */
  readonly edge: Traffic;
  readonly addresses: readonly (TrafficSnapshot<Traffic> & {
    readonly pop: string;
    /** `ip:port` of https. */
    readonly address: string;
    readonly httpAddress: string;
  })[];
  readonly regional: readonly (TrafficSnapshot<Traffic> & { readonly name: string })[];
  readonly origin: TrafficSnapshot<OriginTraffic>;
}

/** A simulated CloudFront distribution on loopback. */
export interface SimulatedEdge {
  /** The distribution's own name. */
  readonly host: string;
  /** POP to its `ip:port` of https. */
  readonly edgeMap: Readonly<Record<string, string[]>>;
  /** POP to its `ip:port` of http, in the same order. */
  readonly httpEdgeMap: Readonly<Record<string, string[]>>;
  /** `127.0.0.1:port`, UDP and TCP. */
  readonly dnsServer: string;
  /** The TLS port of every address; with `bind: 'ports'` that of the first address only. */
  readonly edgePort: number;
  /** The same for http. */
  readonly edgeHttpPort: number;
  readonly caPem: string;
  /** `http://127.0.0.1:port`, to which `/invalidations` is added. */
  readonly invalidationEndpoint: string;
  readonly invalidations: SimulatedInvalidations;
  /** DNS questions so far, by name in lower case. */
  readonly dnsQuestions: ReadonlyMap<string, number>;
  counters(): EdgeCounters;
  /**
   * From now on the fault meets what matches; `dead` and `wrong-certificate` also end the connections that stand.
   * The function returned ends it, and resolves when a closed address listens again.
   */
  setFault(match: FaultMatch, fault: Fault): () => Promise<void>;
  setDnsFault(name: string, fault: DnsFault, times?: number): () => void;
  /** Empties the caches of one POP, or all of them and those behind them. Counters stay. */
  clearCaches(pop?: string): void;
  /** Writes `ca.pem` and `edge-map.json` into the folder, which is made where it is missing. */
  writeFiles(dir: string): Promise<{ readonly caFile: string; readonly edgeMapFile: string }>;
  /** Ends every connection and frees every port at once. */
  close(): Promise<void>;
}

function createHostCheck(names: readonly string[]): (host: string) => boolean {
  const known = new Set(names);
  return (host) => known.has(host) || known.has(host.slice(host.indexOf('.') + 1));
}

function addressesByPop(places: readonly PopAddress[], name: (place: PopAddress) => string): Record<string, string[]> {
  const byPop: Record<string, string[]> = {};
  for (const place of places) {
    const names = byPop[place.pop] ?? [];
    byPop[place.pop] = names;
    const address = name(place);
    if (!names.includes(address)) names.push(address);
  }
  return byPop;
}

const secureAddress = ({ ip, port }: PopAddress) => `${ip}:${port}`;
const plainAddress = ({ ip, httpPort }: PopAddress) => `${ip}:${httpPort}`;

function countEdge(places: readonly PopAddress[], { regional, originTraffic }: EdgeTiers): EdgeCounters {
  const addresses = places.map((place) => ({
    pop: place.pop,
    address: secureAddress(place),
    httpAddress: plainAddress(place),
    ...snapshotTraffic(place.traffic, newTraffic),
  }));
  return {
    edge: sumTraffic(
      addresses.map(({ total }) => total),
      newTraffic,
    ),
    addresses,
    regional: [...regional].map(([name, { traffic }]) => ({ name, ...snapshotTraffic(traffic, newTraffic) })),
    origin: snapshotTraffic(originTraffic, newOriginTraffic),
  };
}

async function openPlaces(resolved: ResolvedOptions, tiers: EdgeTiers, rules: FaultRules, clock: EdgeClock, cacheKeyOf: CacheKeyOf) {
  const names = [resolved.host, ...resolved.aliases];
  const certificates = await createEdgeCertificates(names);
  const { latencies, bind, ports: firstPorts } = resolved;
  const front = createEdgeFront({
    knowsHost: createHostCheck(names),
    cacheKeyOf,
    rules,
    latencyMs: latencies.edgeMs,
    ...clock,
    policy: resolved,
    connectionOf: ({ socket }) => connections.of(socket),
  });
  const connections = createConnections(certificates, rules, front);
  const places: PopAddress[] = [];
  const bound = await bindAddresses(bind, tiers.popCaches.length, firstPorts, (index, secure, socket) => {
    const place = places[index];
    if (place === undefined) socket.destroy();
    else connections.accept(place, secure, socket);
  });
  for (const [index, ports] of bound.entries()) {
    const cache = tiers.popCaches[index];
    if (cache === undefined) break;
    places.push({ ...cache, ip: ports.secure.ip, port: ports.secure.port, httpPort: ports.plain.port, bound: ports, traffic: new Map() });
  }
  return { places, connections, caPem: certificates.caPem };
}

/** Empties the caches of one POP, or with null every cache there is, of what `matches`. */
function clearCaches({ popCaches, regional, shield }: EdgeTiers, wanted: string | null, matches: (object: string) => boolean): void {
  for (const { pop, cache } of popCaches) if (wanted === null || wanted === pop) cache.invalidate(matches);
  if (wanted !== null) return;
  for (const { cache } of regional.values()) cache.invalidate(matches);
  shield?.invalidate(matches);
}

async function writeEdgeFiles(dir: string, caPem: string, edgeMap: object) {
  await mkdir(dir, { recursive: true });
  const files = { caFile: join(dir, 'ca.pem'), edgeMapFile: join(dir, 'edge-map.json') };
  await Promise.all([writeFile(files.caFile, caPem), writeFile(files.edgeMapFile, `${JSON.stringify(edgeMap, null, 2)}\n`)]);
  return files;
}

/** Both, or neither: where the second port is taken, the first one is free again. */
async function openSideServers(zone: DnsZone, invalidations: SimulatedInvalidations, ports: ResolvedOptions['ports']) {
  const dns = await createDnsServer(zone, ports.dns);
  try {
    return { dns, endpoint: await openInvalidationEndpoint(invalidations, ports.invalidation) };
  } catch (error) {
    await dns.close();
    throw error;
  }
}

/** Starts a simulated CloudFront distribution on loopback. Rejects with RangeError for options that make no sense. */
export async function createSimulatedEdge(options: SimulatedEdgeOptions = {}): Promise<SimulatedEdge> {
  const resolved = resolveEdgeOptions(options);
  const clock = createEdgeClock(resolved.now);
  const rules = createFaultRules();
  const tiers = createEdgeTiers(options, resolved, clock);
  const cacheKeyOf = createCacheKeyOf(resolveCachePolicy(options.cachePolicy ?? {}));
  const { places, connections, caPem } = await openPlaces(resolved, tiers, rules, clock, cacheKeyOf);
  const faults = createEdgeFaults(rules, places, connections);
  const invalidations = createInvalidations({
    delayMs: resolved.invalidationDelayMs,
    wait: clock.wait,
    apply: (matches) => clearCaches(tiers, null, matches),
  });
  const edgeMap = addressesByPop(places, secureAddress);
  const ips = new Map(Object.entries(addressesByPop(places, ({ ip }) => ip)));
  const { dns, endpoint } = await openSideServers(createDnsZone({ ...resolved, pops: ips }), invalidations, resolved.ports).catch(
    (error: unknown) => {
      faults.close();
      throw error;
    },
  );
  return {
    host: resolved.host,
    edgeMap,
    httpEdgeMap: addressesByPop(places, plainAddress),
    dnsServer: dns.address,
    edgePort: places[0]?.port ?? 0,
    edgeHttpPort: places[0]?.httpPort ?? 0,
    caPem,
    invalidationEndpoint: endpoint.url,
    invalidations,
    dnsQuestions: dns.questions,
    counters: () => countEdge(places, tiers),
    setFault: faults.set,
    setDnsFault: dns.setFault,
    clearCaches: (pop) => clearCaches(tiers, pop ?? null, () => true),
    writeFiles: (dir) => writeEdgeFiles(dir, caPem, edgeMap),
    async close() {
      clock.clear();
      faults.close();
      await Promise.all([dns.close(), endpoint.close()]);
    },
  };
}
