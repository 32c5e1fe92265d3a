import { createDnsPopResolver } from '../adapters/dns/dns-pop-resolver.ts';
import { createEdgeMapResolver, parseEdgeMap } from '../adapters/dns/edge-map-resolver.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import type { EdgeSettings } from './function-config.ts';

/** Finds POPs by DNS, or by the edge map of a drill. */
export function createEdgeResolver({ dnsServer, edgeMap, ...options }: EdgeSettings): PopResolver {
  if (edgeMap !== null) return createEdgeMapResolver(parseEdgeMap(edgeMap, 'PREWARM_EDGE_MAP'), options);
  return createDnsPopResolver({ ...options, ...(dnsServer === null ? {} : { servers: dnsServer }) });
}
