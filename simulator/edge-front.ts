import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomBytes } from 'node:crypto';
import { parseRange, resolveRange } from './byte-range.ts';
import type { CacheKeyOf } from './cache-policy.ts';
import type { EdgeConnection } from './connections.ts';
import { type Fault, faultOf, type FaultRules } from './fault-rules.ts';
import type { PopAddress } from './pop-address.ts';
import { type BodyPlan, sendBody } from './send-body.ts';
import { newTraffic, type Traffic, trafficOf } from './traffic.ts';
import type { AnswerMeta, Found, Looked, Opened, Want } from './upstream.ts';

export interface EdgeFrontOptions {
  /** Whether the name (lower case, without port) is one of the distribution's. */
  readonly knowsHost: (host: string) => boolean;
  readonly cacheKeyOf: CacheKeyOf;
  readonly rules: FaultRules;
  readonly latencyMs: number;
  readonly wait: (ms: number) => Promise<void>;
  readonly now: () => number;
  readonly connectionOf: (req: IncomingMessage) => EdgeConnection;
}

/** What is known of a request while it is answered. */
interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly connection: EdgeConnection;
  readonly place: PopAddress;
  readonly want: Want;
  readonly traffic: Traffic;
  readonly faults: readonly Fault[];
}

type Headers = Record<string, string | number | string[]>;

const X_CACHE: Readonly<Record<Found, string>> = { hit: 'Hit', miss: 'Miss', refresh: 'RefreshHit' };
const EDGE_NODE = `${randomBytes(16).toString('hex')}.cloudfront.net`;
const ID_PREFIX = randomBytes(24).toString('base64url');
let lastId = 0;

function popHeaders({ place, faults }: Exchange, xCache: string): Headers {
  const headers: Headers = {
    via: `1.1 ${EDGE_NODE} (CloudFront)`,
    'x-amz-cf-pop': [faultOf(faults, 'wrong-pop')?.pop ?? place.pop].flat(),
    'x-amz-cf-id': `${ID_PREFIX}${(++lastId).toString(36).padStart(8, '0')}==`,
  };
  if (faultOf(faults, 'no-x-cache') === undefined)
    headers['x-cache'] = [...(faultOf(faults, 'x-cache')?.lines ?? [`${xCache} from cloudfront`])];
  return headers;
}

/** An answer of the POP itself, which no cache ever sees. */
function answerItself(exchange: Exchange, status: number, xCache: string, extra: Headers = {}): void {
  const { res, req, traffic } = exchange;
  const body = Buffer.from(status < 400 ? '' : `${status}\n`);
  if (status >= 400) traffic.errors++;
  res.writeHead(status, { ...popHeaders(exchange, xCache), 'content-type': 'text/plain', 'content-length': body.length, ...extra });
  if (req.method !== 'HEAD') traffic.bodyBytes += body.length;
  res.end(req.method === 'HEAD' ? undefined : body);
}

function objectHeaders(exchange: Exchange, { meta, found, fetchedAt }: Looked, now: number): Headers {
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

function countFound(traffic: Traffic, { status }: AnswerMeta, found: Found): void {
  if (found === 'miss') traffic.misses++;
  else traffic.hits++;
  if (found === 'refresh') traffic.refreshHits++;
  if (status >= 400) traffic.errors++;
}

function countMethod(traffic: Traffic, req: IncomingMessage, want: Want): void {
  if (req.method === 'HEAD') traffic.heads++;
  else if (want.range !== null) traffic.ranges++;
  else traffic.gets++;
}

/** Bytes of the object that the answer carries; null: it has no such bytes (416). */
function bytesToSend(opened: Opened, want: Want, unasked: boolean): { start: number; end: number; partial: boolean } | null {
  if (unasked && want.range === null) return { start: 0, end: Math.max(1, opened.meta.size - 1), partial: true };
  if (opened.sends === 'whole' || want.range === null) return { start: 0, end: opened.meta.size, partial: false };
  const range = resolveRange(want.range, opened.meta.size);
  return range === null ? null : { start: range.start, end: range.end + 1, partial: true };
}

function breakOff(faults: readonly Fault[], start: number, end: number): NonNullable<BodyPlan['breakOff']> | null {
  const stall = faultOf(faults, 'stall');
  const truncate = faultOf(faults, 'truncate');
  const fault = truncate ?? (stall?.at === 'body' ? stall : undefined);
  if (fault === undefined || end === start) return null;
  return { at: Math.min(start + (fault.afterBytes ?? 0), end - 1), by: fault.kind === 'truncate' ? 'close' : 'silence' };
}

/** Tells the cache how the delivery ended, and keeps what takes it back for the connection. */
function settleAtEnd({ res, connection, traffic, want }: Exchange, opened: Opened): void {
  res.once('close', () => {
    const delivered = res.writableFinished;
    const undo = opened.settle(delivered);
    if (!delivered) return;
    const counted = want.range === null && opened.meta.status < 300 ? 1 : 0;
    traffic.delivered += counted;
    connection.undo = () => {
      undo();
      traffic.delivered -= counted;
    };
  });
}

/** The POP's HTTP side: names, faults, caches, ranges and headers as a viewer sees them. */
export function createEdgeFront(options: EdgeFrontOptions): (req: IncomingMessage, res: ServerResponse) => void {
  const { knowsHost, cacheKeyOf, rules, latencyMs, wait, now, connectionOf } = options;

  async function sendObject(exchange: Exchange): Promise<void> {
    const { res, place, want, traffic, faults } = exchange;
    const treatment = { neverHit: faultOf(faults, 'never-hit') !== undefined, neverStore: faultOf(faults, 'never-store') !== undefined };
    const opened = await place.cache.open(want, treatment);
    countFound(traffic, opened.meta, opened.found);
    const bytes = bytesToSend(opened, want, faultOf(faults, 'unasked-part') !== undefined);
    const headers = objectHeaders(exchange, opened, now());
    if (bytes === null) {
      opened.settle(false);
      traffic.errors++;
      res.writeHead(416, { ...headers, 'content-range': `bytes */${opened.meta.size}`, 'content-length': 0 }).end();
      return;
    }
    if (res.destroyed) {
      opened.settle(false);
      return;
    }
    settleAtEnd(exchange, opened);
    const { start, end, partial } = bytes;
    if (partial) headers['content-range'] = `bytes ${start}-${end - 1}/${faultOf(faults, 'range-total')?.bytes ?? opened.meta.size}`;
    if (!opened.meta.chunked) headers['content-length'] = end - start;
    res.writeHead(partial ? 206 : opened.meta.status, headers);
    const stop = breakOff(faults, start, end);
    const rate = faultOf(faults, 'trickle')?.bytesPerSecond;
    await sendBody(res, {
      start,
      end,
      ...(stop === null ? {} : { breakOff: stop }),
      ...(rate === undefined ? {} : { bytesPerSecond: rate }),
      wait,
      onBytes: (sent) => {
        traffic.bodyBytes += sent;
      },
    });
  }

  async function sendHead(exchange: Exchange): Promise<void> {
    const { res, place, want, traffic, faults } = exchange;
    const looked = await place.cache.head(want, { neverHit: faultOf(faults, 'never-hit') !== undefined, neverStore: true });
    countFound(traffic, looked.meta, looked.found);
    const headers = objectHeaders(exchange, looked, now());
    if (!looked.meta.chunked) headers['content-length'] = looked.meta.size;
    res.writeHead(looked.meta.status, headers).end();
  }

  /** True: the answer is given, or never will be. */
  function answerByFault(exchange: Exchange): boolean {
    const { faults, connection } = exchange;
    const status = faultOf(faults, 'status');
    const generated = faultOf(faults, 'generated');
    const challenge = faultOf(faults, 'challenge');
    const stall = faultOf(faults, 'stall');
    if (faultOf(faults, 'reset') !== undefined) connection.raw.resetAndDestroy();
    else if (stall?.at === 'headers') return true;
    else if (status !== undefined) {
      const xCache = status.xCache?.replace(/ from cloudfront$/, '') ?? (status.status < 400 ? 'Miss' : 'Error');
      answerItself(exchange, status.status, xCache, status.location === undefined ? {} : { location: status.location });
    } else if (generated !== undefined) {
      answerItself(exchange, 200, generated.by === 'function' ? 'FunctionGeneratedResponse' : 'LambdaGeneratedResponse');
    } else if (challenge !== undefined) {
      answerItself(exchange, challenge.action === 'captcha' ? 405 : 202, 'Error', {
        'x-amzn-waf-action': challenge.action,
        'cache-control': 'no-store',
      });
    } else return false;
    return true;
  }

  async function answer(exchange: Exchange): Promise<void> {
    const { req, faults } = exchange;
    const latency = latencyMs + (faultOf(faults, 'latency')?.ms ?? 0);
    if (latency > 0) await wait(latency);
    if (answerByFault(exchange)) return;
    const host = (req.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    if (!knowsHost(host)) answerItself(exchange, 421, 'Error');
    else if (req.method === 'HEAD') await sendHead(exchange);
    else if (req.method === 'GET') await sendObject(exchange);
    else answerItself(exchange, 403, 'Error');
  }

  return (req, res) => {
    const connection = connectionOf(req);
    connection.undo = null;
    const { place } = connection;
    const url = req.url ?? '/';
    const { key, object } = cacheKeyOf(url, req.headers);
    const want: Want = { key, object, range: parseRange(req.headers.range), ifNoneMatch: null };
    const traffic = trafficOf(place.traffic, key, newTraffic);
    countMethod(traffic, req, want);
    const faults = rules.forRequest(place, url, req.method ?? '');
    req.resume();
    answer({ req, res, connection, place, want, traffic, faults }).catch((error: unknown) => {
      process.emitWarning(new Error(`the simulated edge could not answer ${url}`, { cause: error }));
      res.destroy();
    });
  };
}
