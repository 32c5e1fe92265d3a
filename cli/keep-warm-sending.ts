import { createUndiciDownloader } from '../adapters/http/undici-downloader.ts';
import { systemClock } from '../core/clock.ts';
import { findDomain } from '../core/find-domain.ts';
import { createKeepWarmSender, type KeepWarmSender } from '../core/keep-warm/keep-warm-sender.ts';
import type { KeepWarmRoute } from '../core/keep-warm/route.ts';
import type { RouteInput } from '../core/keep-warm/validate-route.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';
import { popCatalogue } from '../data/catalogue.ts';
import type { EdgeOptions } from './edge-options.ts';

/** The route with its distribution's own name. `field`: the domain's. Throws InvalidInput where it cannot be found. */
export async function settleRoute(
  { domain, host, route }: RouteInput,
  { edge, resolver, field }: { readonly edge: EdgeOptions; readonly resolver: PopResolver; readonly field: string },
): Promise<KeepWarmRoute> {
  if (edge.edgeMap !== null) return route;
  return { ...route, domain: await findDomain(resolver, { given: domain, hosts: [host], field }) };
}

/** One per address of the POPs is used at a time, about 100 KB each. */
const MAX_IDLE_CONNECTIONS = 1024;

export interface KeepWarmSending {
  readonly sender: KeepWarmSender;
  close(): Promise<void>;
}

/** A sender with connections of its own, pinned as an agent's are. */
export function openKeepWarmSending(edge: EdgeOptions, resolver: PopResolver): KeepWarmSending {
  const downloader = createUndiciDownloader({
    allowPrivateAddresses: edge.allowPrivateAddresses,
    maxIdleConnections: MAX_IDLE_CONNECTIONS,
    ...(edge.ca === null ? {} : { ca: edge.ca.pem }),
  });
  const catalogue = popCatalogue();
  return {
    sender: createKeepWarmSender({ resolver, downloader, clock: systemClock, sameCity: (a, b) => catalogue.sameCity(a, b) }),
    close: () => downloader.close(),
  };
}
