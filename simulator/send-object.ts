import { resolveRange } from './byte-range.ts';
import type { EdgeClock } from './edge-clock.ts';
import { type Exchange, objectHeaders } from './exchange.ts';
import { type Fault, faultOf } from './fault-rules.ts';
import { type BodyPlan, sendBody } from './send-body.ts';
import type { Traffic } from './traffic.ts';
import type { Looked, Opened, Want } from './upstream.ts';

function countFound(traffic: Traffic, { meta, found }: Looked): void {
  if (found === 'miss') traffic.misses++;
  else traffic.hits++;
  if (found === 'refresh') traffic.refreshHits++;
  if (meta.status >= 400) traffic.errors++;
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

/** Answers a GET from the POP's cache, or through it. */
export async function sendObject(exchange: Exchange, { now, wait }: EdgeClock): Promise<void> {
  const { res, place, want, traffic, faults } = exchange;
  const treatment = { neverHit: faultOf(faults, 'never-hit') !== undefined, neverStore: faultOf(faults, 'never-store') !== undefined };
  const askedAt = performance.now();
  const opened = await place.cache.open(want, treatment);
  countFound(traffic, opened);
  const bytes = bytesToSend(opened, want, faultOf(faults, 'unasked-part') !== undefined);
  const headers = objectHeaders(exchange, opened, now(), performance.now() - askedAt);
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

/** Answers a HEAD, which no cache stores. */
export async function sendHead(exchange: Exchange, { now }: EdgeClock): Promise<void> {
  const { res, place, want, traffic, faults } = exchange;
  const askedAt = performance.now();
  const looked = await place.cache.head(want, { neverHit: faultOf(faults, 'never-hit') !== undefined, neverStore: true });
  countFound(traffic, looked);
  const headers = objectHeaders(exchange, looked, now(), performance.now() - askedAt);
  if (!looked.meta.chunked) headers['content-length'] = looked.meta.size;
  res.writeHead(looked.meta.status, headers).end();
}
