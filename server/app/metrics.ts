import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { accounted, addCounters, count, type Counters } from '../../core/work/counters.ts';
import { ACTIVE_STATUSES, type EndStatus, isEnded, type RequestStatus } from '../../core/request/request.ts';
import type { ApiDeps } from './api-deps.ts';

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

/** What the figures need of a request. */
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

/** The labels and the value of each sample. */
export type Samples = Iterable<readonly [labels: Readonly<Record<string, string | number>>, value: number]>;

interface MetricHead {
  readonly name: string;
  readonly help: string;
  /** Names of the labels that its samples may have. */
  readonly labels?: readonly string[];
}

/** Adds a counter with its values as they are now to a page, which is rendered once. Samples of the same labels are summed. */
export function addCounter(page: Registry, { name, help, labels = [] }: MetricHead, samples: Samples): void {
  const counter = new Counter({ name, help, labelNames: labels, registers: [page] });
  for (const [labelled, value] of samples) counter.inc(labelled, value);
}

/** Adds a gauge with its values as they are now to a page, which is rendered once. */
export function addGauge(page: Registry, { name, help, labels = [] }: MetricHead, samples: Samples): void {
  const gauge = new Gauge({ name, help, labelNames: labels, registers: [page] });
  for (const [labelled, value] of samples) gauge.set(labelled, value);
}
