import { Counter, Histogram, Registry } from 'prom-client';
import { accounted, count } from '../../core/work/counters.ts';
import { ACTIVE_STATUSES, type RequestStatus } from '../../core/request/request.ts';
import type { ApiDeps } from './api-deps.ts';
import { addGauge } from './metric-samples.ts';
import type { CountedRequest, WorkTotals } from './work-totals.ts';

/** Upper limits of the buckets, seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export interface Metrics {
  /** Counts one answered HTTP request; `route` is the path of a known route, or `other`. */
  observe(route: string, method: string, status: number, seconds: number): void;
  /** Prometheus' text format. */
  render(): Promise<string>;
}

type MetricsDeps = Pick<ApiDeps, 'store' | 'tasks' | 'version'> & {
  readonly fleet: Pick<ApiDeps['fleet'], 'maximum' | 'getCapacity'>;
  readonly workTotals?: WorkTotals;
  /** Adds the figures of what runs beside the API. */
  readonly addMore?: (page: Registry) => void;
};

/** HTTP figures of this process, and the state of requests, queue and fleet at the time they are asked for. */
export function createMetrics({ store, tasks, fleet, version, workTotals, addMore }: MetricsDeps): Metrics {
  // A registry of its own: two servers in one process count apart.
  const http = new Registry();
  const answers = new Counter({
    name: 'prewarm_http_requests_total',
    help: 'HTTP requests answered',
    labelNames: ['route', 'method', 'status'],
    registers: [http],
  });
  const times = new Histogram({ name: 'prewarm_http_request_seconds', help: 'Time to answer', buckets: BUCKETS, registers: [http] });
  return {
    observe(route, method, status, seconds) {
      answers.inc({ route, method, status });
      times.observe(seconds);
    },
    async render() {
      const [active, queue, capacity] = await Promise.all([store.listActive(), tasks.counts(), fleet.getCapacity()]);
      // All but the HTTP figures is read anew for each page, so that nothing stands in it that has ended, and pages do not mix.
      const page = Registry.merge([http]);
      addActive(page, active);
      const byState = [
        [{ state: 'available' }, queue.available],
        [{ state: 'leased' }, queue.leased],
      ] as const;
      addGauge(page, { name: 'prewarm_queue_tasks', help: 'Tasks on the queue', labels: ['state'] }, byState);
      addGauge(page, { name: 'prewarm_fleet_capacity', help: 'Agents wanted' }, [[{}, capacity]]);
      const build = { name: 'prewarm_build_info', help: 'Always 1; the label has the version', labels: ['version'] };
      addGauge(page, build, [[{ version }, 1]]);
      workTotals?.addTo(page, active);
      addGauge(page, { name: 'prewarm_fleet_maximum', help: 'Most agents at a time' }, [[{}, fleet.maximum]]);
      addMore?.(page);
      // Neither names nor labels have line ends: an empty line is what the library puts between two metrics.
      return (await page.metrics()).replaceAll('\n\n', '\n');
    },
  };
}

function addActive(page: Registry, active: readonly (CountedRequest & { readonly totalCount: number })[]): void {
  const byStatus = new Map<RequestStatus, number>(ACTIVE_STATUSES.map((status) => [status, 0]));
  const targets = { warmed: 0, already_warm: 0, failed: 0, left: 0 };
  for (const { status, counters, totalCount } of active) {
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    for (const outcome of ['warmed', 'already_warm', 'failed'] as const) targets[outcome] += count(counters, outcome);
    targets.left += totalCount - accounted(counters);
  }
  addGauge(
    page,
    { name: 'prewarm_active_requests', help: 'Requests that have not ended', labels: ['status'] },
    [...byStatus].map(([status, value]) => [{ status }, value]),
  );
  addGauge(
    page,
    { name: 'prewarm_active_targets', help: 'Targets of requests that have not ended', labels: ['outcome'] },
    Object.entries(targets).map(([outcome, value]) => [{ outcome }, value]),
  );
}
