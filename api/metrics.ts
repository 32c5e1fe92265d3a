import { accounted, count } from '../core/counters.ts';
import { ACTIVE_STATUSES, type RequestStatus } from '../core/request.ts';
import type { ApiDeps } from './api-deps.ts';
import { type Labels, metricHead, metricSample } from './metric-text.ts';

/** Upper limits of the buckets, seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;

export interface Metrics {
  /** Counts one answered HTTP request; `route` is the path of a known route, or `other`. */
  observe(route: string, method: string, status: number, seconds: number): void;
  /** Prometheus' text format. */
  render(): Promise<string>;
}

/** HTTP figures of this process, and the state of requests, queue and fleet at the time they are asked for. */
type MetricsDeps = Pick<ApiDeps, 'store' | 'tasks' | 'fleet' | 'moreMetrics' | 'workTotals' | 'version'>;

export function createMetrics({ store, tasks, fleet, moreMetrics, workTotals, version }: MetricsDeps): Metrics {
  const answers = new Map<string, { readonly labels: Labels; answers: number }>();
  const buckets: number[] = BUCKETS.map(() => 0);
  let seen = 0;
  let sum = 0;

  function renderHttp(): string {
    let text = metricHead('prewarm_http_requests_total', 'counter', 'HTTP requests answered');
    for (const { labels, answers: value } of answers.values()) text += metricSample('prewarm_http_requests_total', labels, value);
    text += metricHead('prewarm_http_request_seconds', 'histogram', 'Time to answer');
    for (const [index, le] of BUCKETS.entries()) text += metricSample('prewarm_http_request_seconds_bucket', { le }, buckets[index] ?? 0);
    text += metricSample('prewarm_http_request_seconds_bucket', { le: '+Inf' }, seen);
    return `${text}${metricSample('prewarm_http_request_seconds_sum', {}, sum)}${metricSample('prewarm_http_request_seconds_count', {}, seen)}`;
  }

  async function renderWork(): Promise<string> {
    const [active, queue, capacity] = await Promise.all([store.listActive(), tasks.counts(), fleet.getCapacity()]);
    const byStatus = new Map<RequestStatus, number>(ACTIVE_STATUSES.map((status) => [status, 0]));
    const targets = { warmed: 0, already_warm: 0, failed: 0, left: 0 };
    for (const { status, counters, totalCount } of active) {
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
      for (const outcome of ['warmed', 'already_warm', 'failed'] as const) targets[outcome] += count(counters, outcome);
      targets.left += totalCount - accounted(counters);
    }
    let text = metricHead('prewarm_active_requests', 'gauge', 'Requests that have not ended');
    for (const [status, value] of byStatus) text += metricSample('prewarm_active_requests', { status }, value);
    text += metricHead('prewarm_active_targets', 'gauge', 'Targets of requests that have not ended');
    for (const [outcome, value] of Object.entries(targets)) text += metricSample('prewarm_active_targets', { outcome }, value);
    text += metricHead('prewarm_queue_tasks', 'gauge', 'Tasks on the queue');
    text +=
      metricSample('prewarm_queue_tasks', { state: 'available' }, queue.available) +
      metricSample('prewarm_queue_tasks', { state: 'leased' }, queue.leased);
    text += metricHead('prewarm_fleet_capacity', 'gauge', 'Agents wanted') + metricSample('prewarm_fleet_capacity', {}, capacity);
    text +=
      metricHead('prewarm_build_info', 'gauge', 'Always 1; the label has the version') + metricSample('prewarm_build_info', { version }, 1);
    text += workTotals?.render(active) ?? '';
    return (
      text +
      metricHead('prewarm_fleet_maximum', 'gauge', 'Most agents at a time') +
      metricSample('prewarm_fleet_maximum', {}, fleet.maximum)
    );
  }

  return {
    observe(route, method, status, seconds) {
      const key = `${route} ${method} ${status}`;
      const known = answers.get(key);
      if (known === undefined) answers.set(key, { labels: { route, method, status }, answers: 1 });
      else known.answers += 1;
      for (const [index, limit] of BUCKETS.entries()) if (seconds <= limit) buckets[index] = (buckets[index] ?? 0) + 1;
      seen += 1;
      sum += seconds;
    },
    render: async () => renderHttp() + (await renderWork()) + (moreMetrics?.() ?? ''),
  };
}
