import { findDomain } from '../request/find-domain.ts';
import type { PopResolver } from '../ports/pop-resolver.ts';
import type { KeepWarmRoute } from './route.ts';
import type { RouteInput } from './validate-route.ts';

/**
 * The route with its distribution's own name; `resolver` null: an edge map stands in for DNS, and no name is needed. `field`: the
 * domain's, as the user knows it. Throws InvalidInput where no distribution is found.
 */
export async function settleRoute(
  { domain, host, route }: RouteInput,
  resolver: Pick<PopResolver, 'findDistribution'> | null,
  field: string,
): Promise<KeepWarmRoute> {
  if (resolver === null) return route;
  return { ...route, domain: await findDomain(resolver, { given: domain, hosts: [host], field }) };
}
