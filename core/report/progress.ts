import { shownAddress } from '../pops/address.ts';
import { formatTimestamp } from '../clock.ts';
import { accounted, type Counters, count } from '../work/counters.ts';
import { forecastTimeout } from './forecast.ts';
import type { QueueCounts } from '../ports/queue.ts';
import { PROVISIONAL_LASTS_MS, type Provisional, SIZER_ID } from '../ports/request-store.ts';
import { isEnded, type PopRow, type PopState, type RequestRow, type RequestStatus } from '../request/request.ts';
import { quantile } from './time-histogram.ts';

/** The fields of `GET /prewarm`. Counts are of targets, except the two of tasks; sizes are bytes over all targets. */
export interface Progress {
  readonly request_id: string;
  /** What its maker calls it; null: nothing. */
  readonly name: string | null;
  readonly status: RequestStatus;
  /** Why the status is what it is; while it runs, that it cannot be done in time at the measured rate. */
  readonly status_reason: string | null;
  readonly total_count: number;
  readonly download_count: number;
  /** Whole number, never falls; 100 exactly when every target was done or failed of itself. */
  readonly percentage_complete: number;
  readonly in_progress_task_count: number;
  readonly available_task_count: number;
  readonly download_size: number;
  readonly total_size: number;
  readonly warmed_count: number;
  readonly already_warm_count: number;
  /** Those that were stopped before they were done included. */
  readonly failed_count: number;
  /** Targets that the end of the request came before. */
  readonly stopped_count: number;
  readonly verified_count: number;
  readonly near_count: number;
  readonly edge_bytes: number;
  /** URLs of the list. */
  readonly url_count: number;
  /** URLs whose size has been asked for, whatever the answer was. */
  readonly sized_count: number;
  /** Finished targets of tasks not recorded yet; may fall. */
  readonly provisional_count: number;
  readonly provisional_bytes: number;
  /** Targets per second. */
  readonly rate: number;
  /** Null: not known. */
  readonly eta_seconds: number | null;
  readonly skipped_pops: readonly string[];
  /** POPs that were asked for, by whatever name; `skipped_pops` are among them. */
  readonly chosen_pop_count: number;
  /** Regions and countries that were named and of which no POP is left. */
  readonly lost_places: readonly string[];
  readonly created_at: string;
  readonly last_update_time: string;
  readonly timestamp: string;
}

/** One POP's row of `detail=pops`. */
export interface PopProgress {
  readonly pop: string;
  readonly state: PopState;
  readonly addresses: readonly string[];
  /** Its addresses were found to be caches of their own. */
  readonly separate_caches: boolean;
  readonly total_count: number;
  readonly download_count: number;
  readonly warmed_count: number;
  readonly already_warm_count: number;
  readonly failed_count: number;
  /** Failed targets by reason. */
  readonly failed_reasons: Readonly<Record<string, number>>;
  readonly verified_count: number;
  readonly near_count: number;
  readonly download_size: number;
  readonly edge_bytes: number;
  readonly attempts: number;
  /** First-byte times of the first and the last ask of each target, milliseconds; null: nothing was measured. */
  readonly ttfb_before_median_ms: number | null;
  readonly ttfb_before_p95_ms: number | null;
  readonly ttfb_after_median_ms: number | null;
  readonly ttfb_after_p95_ms: number | null;
}

export function viewProgress(row: RequestRow, provisional: readonly Provisional[], queue: QueueCounts, now: number): Progress {
  const { counters } = row;
  const ended = isEnded(row.status);
  const left = row.totalCount - accounted(counters);
  const ahead = ended ? { count: 0, bytes: 0, rate: 0 } : sumFresh(provisional, now);
  const finished = Math.min(left, ahead.count);
  return {
    request_id: row.id,
    name: row.spec.name ?? null,
    status: row.status,
    status_reason: row.statusReason ?? forecastTimeout(row, left - finished, ahead.rate, now),
    total_count: row.totalCount,
    percentage_complete: percentage(row),
    in_progress_task_count: ended ? 0 : queue.leased,
    available_task_count: ended ? 0 : queue.available,
    total_size: row.totalBytes + count(counters, 'learnt_bytes'),
    ...viewCounters(counters),
    failed_count: count(counters, 'failed'),
    stopped_count: count(counters, 'reason.stopped'),
    url_count: row.urlCount,
    sized_count: sizedCount(row, provisional, now),
    provisional_count: finished,
    provisional_bytes: ahead.bytes,
    rate: rounded(ahead.rate),
    eta_seconds: eta(ended ? 0 : left - finished, ahead.rate),
    skipped_pops: row.plan?.skipped ?? [],
    chosen_pop_count: row.spec.pops.length,
    lost_places: lostPlaces(row),
    created_at: formatTimestamp(row.createdAt),
    last_update_time: formatTimestamp(row.updatedAt),
    timestamp: formatTimestamp(now),
  };
}

/** URLs of the shares that sizing has written, and what it has asked of the next one. */
function sizedCount(row: RequestRow, provisional: readonly Provisional[], now: number): number {
  const { rows, failedRows, done } = row.sizing;
  const written = rows + failedRows;
  if (done || row.status !== 'SIZING') return written;
  const asked = provisional.find(({ agentId, updatedAt }) => agentId === SIZER_ID && now - updatedAt <= PROVISIONAL_LASTS_MS);
  return Math.min(row.urlCount, Math.max(written, asked?.count ?? 0));
}

function lostPlaces({ spec, plan }: RequestRow): readonly string[] {
  if (plan === null || plan.skipped.length === 0) return [];
  const skipped = new Set(plan.skipped);
  return (spec.places ?? []).filter(({ pops }) => pops.every((pop) => skipped.has(pop))).map(({ name }) => name);
}

/** A stopped target was neither done nor has it failed of itself: what is stopped keeps the percentage it had reached. */
export function percentage(row: Pick<RequestRow, 'status' | 'counters' | 'totalCount'>): number {
  const own = accounted(row.counters) - count(row.counters, 'reason.stopped');
  if (own >= row.totalCount) return row.totalCount > 0 || isEnded(row.status) ? 100 : 0;
  return Math.floor((own * 100) / row.totalCount);
}

function eta(left: number, rate: number): number | null {
  if (left === 0) return 0;
  return rate > 0 ? Math.ceil(left / rate) : null;
}

function sumFresh(provisional: readonly Provisional[], now: number): { count: number; bytes: number; rate: number } {
  const sum = { count: 0, bytes: 0, rate: 0 };
  for (const { agentId, count, bytes, rate, updatedAt } of provisional) {
    if (agentId === SIZER_ID) continue;
    if (now - updatedAt > PROVISIONAL_LASTS_MS) continue;
    sum.count += count;
    sum.bytes += bytes;
    sum.rate += rate;
  }
  return sum;
}

/** A request that was ended early has targets that no POP row counts: they are those POPs' stopped ones. */
export function viewPops(row: RequestRow, pops: readonly PopRow[]): readonly PopProgress[] {
  return pops.map((pop) => {
    const { counters, totalCount } = pop;
    const stopped = isEnded(row.status) ? totalCount - accounted(counters) : 0;
    return {
      pop: pop.pop,
      state: pop.state,
      addresses: pop.addresses.map(shownAddress),
      separate_caches: count(counters, 'separate') > 0,
      total_count: totalCount,
      ...viewCounters(counters),
      failed_count: count(counters, 'failed') + stopped,
      failed_reasons: reasonsOf(counters, stopped),
      attempts: count(counters, 'attempts'),
      ttfb_before_median_ms: time(counters, 'first', 0.5),
      ttfb_before_p95_ms: time(counters, 'first', 0.95),
      ttfb_after_median_ms: time(counters, 'last', 0.5),
      ttfb_after_p95_ms: time(counters, 'last', 0.95),
    };
  });
}

export function viewCounters(counters: Counters) {
  return {
    download_count: count(counters, 'warmed') + count(counters, 'already_warm'),
    warmed_count: count(counters, 'warmed'),
    already_warm_count: count(counters, 'already_warm'),
    verified_count: count(counters, 'verified'),
    near_count: count(counters, 'near'),
    download_size: count(counters, 'done_bytes'),
    edge_bytes: count(counters, 'edge_bytes'),
  };
}

/** Failed targets by reason; `stopped` more are of those that no row has counted. */
export function reasonsOf(counters: Counters, stopped = 0): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const [key, targets] of Object.entries(counters)) if (key.startsWith('reason.')) reasons[key.slice('reason.'.length)] = targets;
  if (stopped > 0) reasons['stopped'] = (reasons['stopped'] ?? 0) + stopped;
  return reasons;
}

function time(counters: Counters, prefix: 'first' | 'last', share: number): number | null {
  const ms = quantile(counters, prefix, share);
  return ms === null ? null : rounded(ms);
}

const rounded = (value: number) => Math.round(value * 10) / 10;
