import type { Registry } from 'prom-client';
import { addCounters, count, type Counters } from '../../core/work/counters.ts';
import { type EndStatus, isEnded, type RequestStatus } from '../../core/request/request.ts';
import { addCounter } from './metric-samples.ts';

/** What the figures need of a request. */
export interface CountedRequest {
  readonly id: string;
  readonly status: RequestStatus;
  readonly counters: Counters;
}

/** What this process has done, as counters that only rise: of each request what it did since the process began. */
export interface WorkTotals {
  /** Requests that were under way before the process began: what they had done is not counted. */
  begin(active: readonly CountedRequest[]): void;
  /** Counts the end of a request, once however often it is told. */
  ended(request: CountedRequest): void;
  /** Adds the counters to a page of metrics. `active` are the requests that have not ended, as they are now. */
  addTo(page: Registry, active: readonly CountedRequest[]): void;
}

const REASON = 'reason.';
const END_STATUSES: readonly EndStatus[] = ['FINISHED', 'STOPPED', 'TIMEOUT', 'FAILED'];
/** Ends that are remembered, so that a request which was read just before its end is not counted again after it. */
const MOST_ENDS = 10_000;

function addTargets(page: Registry, sum: Counters): void {
  const targets = {
    name: 'prewarm_targets_total',
    help: 'Targets done, by outcome, and those that failed by reason',
    labels: ['outcome', 'reason'],
  };
  const failed = Object.entries(sum).filter(([key]) => key.startsWith(REASON));
  addCounter(page, targets, [
    ...(['warmed', 'already_warm'] as const).map((outcome) => [{ outcome, reason: '' }, count(sum, outcome)] as const),
    ...failed.map(([key, value]) => [{ outcome: 'failed', reason: key.slice(REASON.length) }, value] as const),
  ]);
  const edge = { name: 'prewarm_edge_bytes_total', help: 'Body bytes read from the edge, checks and retries included' };
  addCounter(page, edge, [[{}, count(sum, 'edge_bytes')]]);
  const objects = { name: 'prewarm_object_bytes_total', help: 'Bytes of the objects of warm targets' };
  addCounter(page, objects, [[{}, count(sum, 'done_bytes')]]);
}

export function createWorkTotals(): WorkTotals {
  const done: Record<string, number> = {};
  const before = new Map<string, Counters>();
  /** As each was seen last: a request that has just ended stays here until its end is told, so that no sum ever falls. */
  const running = new Map<string, Counters>();
  const ends = new Set<string>();
  const byStatus = new Map<EndStatus, number>(END_STATUSES.map((status) => [status, 0]));

  function add(sum: Record<string, number>, id: string, counters: Counters): void {
    addCounters(sum, counters);
    for (const [key, value] of Object.entries(before.get(id) ?? {})) sum[key] = (sum[key] ?? 0) - value;
  }

  return {
    begin(active) {
      for (const { id, counters } of active) before.set(id, counters);
    },
    ended({ id, status, counters }) {
      if (!isEnded(status) || ends.has(id)) return;
      add(done, id, counters);
      before.delete(id);
      running.delete(id);
      ends.add(id);
      for (const oldest of ends) {
        if (ends.size <= MOST_ENDS) break;
        ends.delete(oldest);
      }
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    },
    addTo(page, active) {
      for (const { id, counters } of active) if (!ends.has(id)) running.set(id, counters);
      const sum = { ...done };
      for (const [id, counters] of running) add(sum, id, counters);
      addTargets(page, sum as Counters);
      const ended = { name: 'prewarm_requests_ended_total', help: 'Requests that have ended', labels: ['status'] };
      addCounter(
        page,
        ended,
        [...byStatus].map(([status, value]) => [{ status }, value]),
      );
    },
  };
}
