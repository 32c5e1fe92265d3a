import type { EdgeMap } from '../adapters/dns/edge-map-resolver.ts';
import { InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import type { Invalidations } from '../core/ports/invalidations.ts';
import { lazyPort } from '../core/ports/lazy-port.ts';
import type { PopResolver } from '../core/ports/pop-resolver.ts';

/** Where the edge is and whom to trust there; the defaults are CloudFront itself. */
export interface EdgeOptions {
  /** Null: the system's resolver. */
  readonly dnsServer: { readonly ip: string; readonly port: number } | null;
  /** Port of https. */
  readonly edgePort: number;
  readonly edgeHttpPort: number;
  /** Stands in for DNS; null: DNS. */
  readonly edgeMap: EdgeMap | null;
  /** Roots to trust instead of the well-known ones; agents read the file themselves. */
  readonly ca: { readonly pem: string; readonly file: string } | null;
  readonly allowPrivateAddresses: boolean;
}

/** How POPs' addresses are found; modules are loaded when they are needed, since a small run lasts a second. */
export async function createResolver(edge: EdgeOptions): Promise<PopResolver> {
  const { allowPrivateAddresses, edgePort, edgeHttpPort, dnsServer } = edge;
  if (edge.edgeMap !== null) {
    const { createEdgeMapResolver } = await import('../adapters/dns/edge-map-resolver.ts');
    return createEdgeMapResolver(edge.edgeMap, { allowPrivateAddresses });
  }
  const { createDnsPopResolver } = await import('../adapters/dns/dns-pop-resolver.ts');
  const servers =
    dnsServer === null ? {} : { servers: `${dnsServer.ip.includes(':') ? `[${dnsServer.ip}]` : dnsServer.ip}:${dnsServer.port}` };
  return createDnsPopResolver({ edgePort, edgeHttpPort, allowPrivateAddresses, ...servers });
}

/** Null endpoint: CloudFront itself, with this machine's credentials. */
export async function createInvalidations(endpoint: string | null): Promise<Invalidations> {
  if (endpoint !== null) {
    const { createEdgeInvalidations } = await import('../adapters/http/edge-invalidations.ts');
    return createEdgeInvalidations(endpoint);
  }
  const { createCloudFrontInvalidations } = await import('../adapters/aws/cloudfront-invalidations.ts');
  return createCloudFrontInvalidations();
}

/** The same, loaded when the first request asks for it. */
export function createLazyInvalidations(endpoint: string | null): Invalidations {
  return lazyPort<Invalidations>(() => createInvalidations(endpoint));
}

/**
 * Why nothing can be invalidated, in words for the API's clients; null: it can be. The distributions of an account are invalidated
 * only where the operator has said which (`isAllowed`); a simulated edge is named for that very purpose.
 */
export function createInvalidationCheck(endpoint: string | null, isAllowed: boolean): () => Promise<string | null> {
  return async () => {
    if (endpoint !== null) return null;
    if (!isAllowed) {
      return 'invalidating is off here; leave it out, or have the server started with --allow-domain and the name of the distribution (* for every one)';
    }
    const { hasAwsCredentials } = await import('../adapters/aws/cloudfront-invalidations.ts');
    if (await hasAwsCredentials()) return null;
    return 'nothing can be invalidated here, since the server has no AWS credentials; leave it out, or start the server with some (AWS_PROFILE, AWS_ACCESS_KEY_ID)';
  };
}

/** Throws InvalidInput where nothing could be invalidated: no endpoint is given, and this machine has no AWS credentials. */
export async function checkCanInvalidate(endpoint: string | null): Promise<void> {
  if (endpoint !== null) return;
  const { hasAwsCredentials } = await import('../adapters/aws/cloudfront-invalidations.ts');
  if (await hasAwsCredentials()) return;
  const remedy =
    'needs AWS credentials, and this machine has none; give it some (AWS_PROFILE, AWS_ACCESS_KEY_ID), or name a simulated edge by --invalidation-endpoint';
  throw new InvalidInput([inputFault('--invalidate', '', remedy)]);
}
