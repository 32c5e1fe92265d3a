import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EdgeConnection, PopAddress } from './connections.ts';
import { type Fault, faultOf } from './fault-rules.ts';
import type { Traffic } from './traffic.ts';
import type { Found, Looked, Want } from './upstream.ts';

/** What is known of a request while it is answered. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly connection: EdgeConnection;
  readonly place: PopAddress;
  readonly want: Want;
  readonly traffic: Traffic;
  readonly faults: readonly Fault[];
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

/** Headers of an answer that came from a cache or the origin. */
export function objectHeaders(exchange: Exchange, { meta, found, fetchedAt }: Looked, now: number): AnswerHeaders {
  const headers = popHeaders(exchange, meta.status >= 400 ? 'Error' : X_CACHE[found]);
  headers['content-type'] = meta.contentType;
  if (meta.etag !== '') headers['etag'] = meta.etag;
  if (meta.cacheControl !== '') headers['cache-control'] = meta.cacheControl;
  if (meta.contentEncoding !== '') headers['content-encoding'] = meta.contentEncoding;
  if (meta.location !== '') headers['location'] = meta.location;
  Object.assign(headers, meta.headers);
  if (!meta.chunked) headers['accept-ranges'] = 'bytes';
  if (found !== 'miss') headers['age'] = Math.max(0, Math.floor((now - fetchedAt) / 1000));
  return headers;
}
