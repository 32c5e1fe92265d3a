import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EdgeConnection, PopAddress } from './connections.ts';
import { type Fault, faultOf } from './fault-rules.ts';
import type { Traffic } from './traffic.ts';
import { writeServerTiming } from './server-timing.ts';
import type { Found, Looked, Want } from './upstream.ts';

/** What the distribution's answers say of where they came from. */
export interface AnswerPolicy {
  readonly serverTiming: boolean;
  readonly regionalHits: 'Hit' | 'Miss';
}

/** What is known of a request while it is answered. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly connection: EdgeConnection;
  readonly place: PopAddress;
  readonly want: Want;
  readonly traffic: Traffic;
  readonly faults: readonly Fault[];
  readonly policy: AnswerPolicy;
  /** By `performance.now()`. */
  readonly startedAt: number;
}

export type AnswerHeaders = Record<string, string | number | string[]>;

const X_CACHE: Readonly<Record<Found, string>> = { hit: 'Hit', miss: 'Miss', refresh: 'RefreshHit' };
const EDGE_NODE = `${randomBytes(16).toString('hex')}.cloudfront.net`;
const ID_PREFIX = randomBytes(24).toString('base64url');
let lastId = 0;

/** Headers that every answer of a POP has. */
export function popHeaders({ place, faults }: Exchange, xCache: string): AnswerHeaders {
  const headers: AnswerHeaders = {
    via: `1.1 ${EDGE_NODE} (CloudFront)`,
    'x-amz-cf-pop': [faultOf(faults, 'wrong-pop')?.pop ?? place.pop].flat(),
    'x-amz-cf-id': `${ID_PREFIX}${(++lastId).toString(36).padStart(8, '0')}==`,
  };
  if (faultOf(faults, 'no-x-cache') === undefined)
    headers['x-cache'] = [...(faultOf(faults, 'x-cache')?.lines ?? [`${xCache} from cloudfront`])];
  return headers;
}

/** What a viewer is told that the caches found: a hit behind the POP may read like one of its own. */
function foundForViewer({ found, source }: Looked, { regionalHits }: AnswerPolicy): Found {
  if (found !== 'miss' || source.layer === 'origin' || regionalHits === 'Miss') return found;
  return source.refreshed ? 'refresh' : 'hit';
}

function serverTimingOf(
  { req, faults, policy, startedAt, place }: Exchange,
  looked: Looked,
  requestId: string,
  upstreamMs: number,
): string {
  const ofOrigin = looked.meta.headers?.['server-timing'] ?? '';
  const fault = faultOf(faults, 'server-timing');
  if (fault !== undefined) return fault.value;
  if (!policy.serverTiming || !/\bserver-timing\b/i.test(req.headers.pragma ?? '')) return ofOrigin;
  return writeServerTiming(looked, { pop: place.pop, requestId, upstreamMs, downstreamMs: performance.now() - startedAt, ofOrigin });
}

/** Headers of an answer that came from a cache or the origin. `upstreamMs`: how long the cache took to answer. */
export function objectHeaders(exchange: Exchange, looked: Looked, now: number, upstreamMs: number): AnswerHeaders {
  const { meta, fetchedAt } = looked;
  const found = foundForViewer(looked, exchange.policy);
  const headers = popHeaders(exchange, meta.status >= 400 ? 'Error' : X_CACHE[found]);
  headers['content-type'] = meta.contentType;
  if (meta.etag !== '') headers['etag'] = meta.etag;
  if (meta.cacheControl !== '') headers['cache-control'] = meta.cacheControl;
  if (meta.contentEncoding !== '') headers['content-encoding'] = meta.contentEncoding;
  if (meta.location !== '') headers['location'] = meta.location;
  Object.assign(headers, meta.headers);
  if (!meta.chunked) headers['accept-ranges'] = 'bytes';
  if (found !== 'miss') headers['age'] = Math.max(0, Math.floor((now - fetchedAt) / 1000));
  const serverTiming = serverTimingOf(exchange, looked, String(headers['x-amz-cf-id']), upstreamMs);
  if (serverTiming !== '') headers['server-timing'] = serverTiming;
  return headers;
}
