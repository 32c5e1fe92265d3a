import { createDnsPopResolver } from '../adapters/dns/dns-pop-resolver.ts';
import { lazyPort } from '../core/ports/lazy-port.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import type { EdgeSettings } from './function-config.ts';

/** Finds POPs by DNS. Only a drill has an edge map, so that the module which reads it is loaded for a drill alone. */
export function createEdgeResolver({ dnsServer, edgeMap, ...options }: EdgeSettings): PopResolver {
  if (edgeMap === null) return createDnsPopResolver({ ...options, ...(dnsServer === null ? {} : { servers: dnsServer }) });
  return lazyPort<PopResolver>(async () => {
    const { createEdgeMapResolver, parseEdgeMap } = await import('../adapters/dns/edge-map-resolver.ts');
    return createEdgeMapResolver(parseEdgeMap(edgeMap, 'PREWARM_EDGE_MAP'), options);
  });
}
