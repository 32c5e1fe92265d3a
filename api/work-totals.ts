import { addCounters, count, type Counters } from '../core/counters.ts';
import { type EndStatus, isEnded, type RequestStatus } from '../core/request.ts';
import { metricHead, metricSample } from './metric-text.ts';

interface CountedRequest {
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
  /** Prometheus' text format. `active` are the requests that have not ended, as they are now. */
  render(active: readonly CountedRequest[]): string;
}

const REASON = 'reason.';
const END_STATUSES: readonly EndStatus[] = ['FINISHED', 'STOPPED', 'TIMEOUT', 'FAILED'];
/** Ends that are remembered, so that a request which was read just before its end is not counted again after it. */
const MOST_ENDS = 10_000;

function renderTargets(sum: Counters): string {
  let text = metricHead('prewarm_targets_total', 'counter', 'Targets done, by outcome, and those that failed by reason');
  for (const outcome of ['warmed', 'already_warm'] as const)
    text += metricSample('prewarm_targets_total', { outcome, reason: '' }, count(sum, outcome));
  for (const [key, targets] of Object.entries(sum)) {
    if (key.startsWith(REASON))
      text += metricSample('prewarm_targets_total', { outcome: 'failed', reason: key.slice(REASON.length) }, targets);
  }
  text += metricHead('prewarm_edge_bytes_total', 'counter', 'Body bytes read from the edge, checks and retries included');
  text += metricSample('prewarm_edge_bytes_total', {}, count(sum, 'edge_bytes'));
  text += metricHead('prewarm_object_bytes_total', 'counter', 'Bytes of the objects of warm targets');
  return text + metricSample('prewarm_object_bytes_total', {}, count(sum, 'done_bytes'));
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
    render(active) {
      for (const { id, counters } of active) if (!ends.has(id)) running.set(id, counters);
      const sum = { ...done };
      for (const [id, counters] of running) add(sum, id, counters);
      let text = renderTargets(sum as Counters);
      text += metricHead('prewarm_requests_ended_total', 'counter', 'Requests that have ended');
      for (const [status, value] of byStatus) text += metricSample('prewarm_requests_ended_total', { status }, value);
      return text;
    },
  };
}
