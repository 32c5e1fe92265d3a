import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseRange } from './byte-range.ts';
import type { CacheKeyOf } from './cache-policy.ts';
import type { EdgeConnection } from './connections.ts';
import type { EdgeClock } from './edge-clock.ts';
import type { AnswerPolicy, Exchange } from './exchange.ts';
import { faultOf, type FaultRules } from './fault-rules.ts';
import { answerByFault, answerItself } from './answer-itself.ts';
import { sendHead, sendObject } from './send-object.ts';
import { newTraffic, type Traffic, trafficOf } from './traffic.ts';
import type { Want } from './upstream.ts';

export interface EdgeFrontOptions extends EdgeClock {
  /** Whether the name (lower case, without port) is one of the distribution's. */
  readonly knowsHost: (host: string) => boolean;
  readonly cacheKeyOf: CacheKeyOf;
  readonly rules: FaultRules;
  readonly latencyMs: number;
  readonly policy: AnswerPolicy;
  readonly connectionOf: (req: IncomingMessage) => EdgeConnection;
}

function countMethod(traffic: Traffic, req: IncomingMessage, want: Want): void {
  if (req.method === 'HEAD') traffic.heads++;
  else if (want.range !== null) traffic.ranges++;
  else traffic.gets++;
}

function openExchange({ connectionOf, cacheKeyOf, rules, policy }: EdgeFrontOptions, req: IncomingMessage, res: ServerResponse): Exchange {
  const connection = connectionOf(req);
  connection.undo = null;
  const { place } = connection;
  const url = req.url ?? '/';
  const { key, object } = cacheKeyOf(url, req.headers);
  const want: Want = { key, object, range: parseRange(req.headers.range), ifNoneMatch: null };
  const traffic = trafficOf(place.traffic, key, newTraffic);
  countMethod(traffic, req, want);
  const faults = rules.forRequest(place, url, req.method ?? '');
  return { req, res, connection, place, want, traffic, faults, policy, startedAt: performance.now() };
}

async function answer(exchange: Exchange, options: EdgeFrontOptions): Promise<void> {
  const { req, faults } = exchange;
  const latency = options.latencyMs + (faultOf(faults, 'latency')?.ms ?? 0);
  if (latency > 0) await options.wait(latency);
  if (answerByFault(exchange)) return;
  const host = (req.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (!options.knowsHost(host)) answerItself(exchange, { status: 421, xCache: 'Error' });
  else if (req.method === 'HEAD') await sendHead(exchange, options);
  else if (req.method === 'GET') await sendObject(exchange, options);
  else answerItself(exchange, { status: 403, xCache: 'Error' });
}

/** The POP's HTTP side: names, faults, caches, ranges and headers as a viewer sees them. */
export function createEdgeFront(options: EdgeFrontOptions): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    const exchange = openExchange(options, req, res);
    req.resume();
    answer(exchange, options).catch((error: unknown) => {
      process.emitWarning(new Error(`the simulated edge could not answer ${req.url}`, { cause: error }));
      res.destroy();
    });
  };
}
