import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { accounted, addCounters, type Counters, NO_COUNTERS } from '../../../core/work/counters.ts';
import { viewPops, viewProgress } from '../../../core/report/progress.ts';
import type { PopRow, RequestRow } from '../../../core/request/request.ts';
import { SIZER_ID } from '../../../core/ports/request-store.ts';
import { bucketOf } from '../../../core/report/time-histogram.ts';
import { ID, makeSpec } from '../../../testing/pipeline-fixture.ts';

const NOW = Date.UTC(2024, 3, 16, 3, 12, 21, 46);
const IDLE = { available: 0, leased: 0 };

function makeRow(change: Partial<RequestRow>): RequestRow {
  return {
    id: ID,
    spec: makeSpec(['SIN2-P1']),
    madeBy: null,
    status: 'IN_PROGRESS',
    statusReason: null,
    urlCount: 10,
    totalCount: 10,
    totalBytes: 5000,
    counters: NO_COUNTERS,
    sizing: { parts: 1, offset: 0, rows: 10, failedRows: 0, bytes: 5000, done: true },
    plan: { sliceRows: 1, sliceBytes: 1, pops: ['SIN2-P1'], skipped: ['PRG50'], totalCount: 10, totalBytes: 5000 },
    invalidations: [],
    createdAt: NOW - 5000,
    updatedAt: NOW - 1000,
    queuedAt: NOW - 2000,
    endedAt: null,
    timeoutAt: null,
    ...change,
  };
}

const percentageOf = (row: RequestRow) => viewProgress(row, [], IDLE, NOW).percentage_complete;

test('the percentage is a whole number that never falls, and 100 exactly when every target was done or failed of itself', () => {
  const steps = fc.array(fc.record({ warmed: fc.nat(40), already_warm: fc.nat(40), failed: fc.nat(40) }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(steps, fc.nat(300), (steps, extra) => {
      const totalCount = Math.max(
        1,
        steps.reduce((sum, step) => sum + accounted(step as Counters), extra),
      );
      const counters: Record<string, number> = {};
      let before = 0;
      for (const step of steps) {
        addCounters(counters, step as Counters);
        const row = makeRow({ totalCount, counters: counters as Counters });
        const percentage = percentageOf(row);
        expect(Number.isInteger(percentage)).toBe(true);
        expect(percentage).toBeGreaterThanOrEqual(before);
        expect(percentage === 100).toBe(accounted(row.counters) === totalCount);
        before = percentage;
      }
      const left = totalCount - accounted(counters as Counters);
      const stopped = addCounters({ ...counters }, { failed: left, 'reason.stopped': left } as unknown as Counters) as Counters;
      expect(percentageOf(makeRow({ totalCount, counters: stopped, status: 'STOPPED' }))).toBe(before);
    }),
  );
});

test('progress has the fields that scripts read', () => {
  const counters = { warmed: 3, already_warm: 2, failed: 1, verified: 4, near: 1, done_bytes: 900, learnt_bytes: 70, edge_bytes: 1800 };
  const provisional = [
    { requestId: ID, agentId: 'a', count: 1, bytes: 40, rate: 0.5, updatedAt: NOW - 30_000 },
    { requestId: ID, agentId: 'b', count: 1, bytes: 2, rate: 0.25, updatedAt: NOW },
    { requestId: ID, agentId: 'dead', count: 7, bytes: 9, rate: 9, updatedAt: NOW - 30_001 },
  ];
  expect(viewProgress(makeRow({ counters: counters as unknown as Counters }), provisional, { available: 5, leased: 2 }, NOW)).toEqual({
    request_id: ID,
    status: 'IN_PROGRESS',
    status_reason: null,
    total_count: 10,
    download_count: 5,
    percentage_complete: 60,
    in_progress_task_count: 2,
    available_task_count: 5,
    download_size: 900,
    total_size: 5070,
    warmed_count: 3,
    already_warm_count: 2,
    failed_count: 1,
    verified_count: 4,
    near_count: 1,
    edge_bytes: 1800,
    stopped_count: 0,
    url_count: 10,
    sized_count: 10,
    provisional_count: 2,
    provisional_bytes: 42,
    rate: 0.8,
    eta_seconds: 3,
    skipped_pops: ['PRG50'],
    chosen_pop_count: 1,
    lost_places: [],
    name: null,
    created_at: '2024-04-16 03:12:16.046000',
    last_update_time: '2024-04-16 03:12:20.046000',
    timestamp: '2024-04-16 03:12:21.046000',
  });
});

test('a place is lost where all of its POPs were left out, whichever others share them, and nothing is before the plan is made', () => {
  const places = [
    { name: 'DE', pops: ['FRA56-P4', 'FRA60-P1'] },
    { name: 'malaysia', pops: ['SIN2-P1', 'SIN2-P2'] },
    { name: 'singapore', pops: ['SIN2-P1', 'SIN2-P2'] },
    { name: 'japan', pops: ['NRT57-P2'] },
  ];
  const pops = ['FRA56-P4', 'FRA60-P1', 'SIN2-P1', 'SIN2-P2', 'NRT57-P2'];
  const spec = { ...makeSpec(pops), places };
  const lost = (skipped: readonly string[]) => {
    const plan = { sliceRows: 1, sliceBytes: 1, pops: pops.filter((pop) => !skipped.includes(pop)), skipped, totalCount: 1, totalBytes: 1 };
    const { lost_places: lostPlaces, chosen_pop_count: chosen, skipped_pops: left } = viewProgress(makeRow({ spec, plan }), [], IDLE, NOW);
    expect({ chosen, left }).toEqual({ chosen: 5, left: skipped });
    return lostPlaces;
  };
  expect(lost([])).toEqual([]);
  expect(lost(['FRA56-P4', 'SIN2-P2'])).toEqual([]);
  expect(lost(['FRA56-P4', 'FRA60-P1'])).toEqual(['DE']);
  expect(lost(['SIN2-P1', 'NRT57-P2', 'SIN2-P2'])).toEqual(['malaysia', 'singapore', 'japan']);
  expect(viewProgress(makeRow({ spec, plan: null }), [], IDLE, NOW).lost_places).toEqual([]);
  // An earlier version made the request, and kept no places.
  const plan = { sliceRows: 1, sliceBytes: 1, pops: [], skipped: pops, totalCount: 1, totalBytes: 1 };
  expect(viewProgress(makeRow({ spec: makeSpec(pops), plan }), [], IDLE, NOW).lost_places).toEqual([]);
});

test('a request that is being sized shows how many URLs have been asked, which are no finished targets', () => {
  const sizing = { parts: 1, offset: 9, rows: 4, failedRows: 1, bytes: 0, done: false };
  const asked = { requestId: ID, agentId: SIZER_ID, count: 8, bytes: 0, rate: 0, updatedAt: NOW };
  const row = makeRow({ status: 'SIZING', sizing });
  expect(viewProgress(row, [asked], IDLE, NOW)).toMatchObject({ sized_count: 8, url_count: 10, provisional_count: 0 });
  expect(viewProgress(row, [{ ...asked, updatedAt: NOW - 60_000 }], IDLE, NOW).sized_count).toBe(5);
  expect(viewProgress(makeRow({}), [asked], IDLE, NOW)).toMatchObject({ sized_count: 10, provisional_count: 0 });
});

test('an ended request has nothing ahead, and provisional targets never exceed what is left', () => {
  const provisional = [{ requestId: ID, agentId: 'a', count: 50, bytes: 40, rate: 5, updatedAt: NOW }];
  expect(viewProgress(makeRow({}), provisional, IDLE, NOW)).toMatchObject({ provisional_count: 10, eta_seconds: 0 });
  const ended = makeRow({ status: 'TIMEOUT', statusReason: 'late', counters: { failed: 10, 'reason.stopped': 10 } as unknown as Counters });
  expect(viewProgress(ended, provisional, { available: 3, leased: 3 }, NOW)).toMatchObject({
    status_reason: 'late',
    stopped_count: 10,
    provisional_count: 0,
    rate: 0,
    eta_seconds: 0,
    in_progress_task_count: 0,
    available_task_count: 0,
  });
  expect(viewProgress(makeRow({}), [], IDLE, NOW).eta_seconds).toBeNull();
});

test('a POP shows its reasons, times before and after, separate caches, and stopped targets', () => {
  const [first, last] = [`first.${bucketOf(200)}`, `last.${bucketOf(10)}`];
  const counters = { warmed: 4, failed: 2, 'reason.status_404': 2, separate: 1, attempts: 9, [first]: 6, [last]: 6 };
  const pop: PopRow = {
    requestId: ID,
    pop: 'SIN2-P1',
    state: 'resolved',
    addresses: ['127.0.0.2:443'],
    totalCount: 10,
    counters: counters as unknown as Counters,
  };
  const [running] = viewPops(makeRow({}), [pop]);
  expect(running).toMatchObject({ separate_caches: true, failed_count: 2, failed_reasons: { status_404: 2 }, attempts: 9 });
  // Within their bucket, which spans 9 %.
  expect(Math.abs((running?.ttfb_before_median_ms ?? 0) / 200 - 1)).toBeLessThan(0.1);
  expect(Math.abs((running?.ttfb_after_p95_ms ?? 0) / 10 - 1)).toBeLessThan(0.1);
  expect(running?.ttfb_before_p95_ms).toBeGreaterThan(running?.ttfb_before_median_ms ?? 0);
  const [stopped] = viewPops(makeRow({ status: 'STOPPED' }), [pop]);
  expect(stopped).toMatchObject({ failed_count: 6, failed_reasons: { status_404: 2, stopped: 4 }, total_count: 10 });
  const [unmeasured] = viewPops(makeRow({}), [{ ...pop, counters: NO_COUNTERS }]);
  expect(unmeasured).toMatchObject({ ttfb_before_median_ms: null, separate_caches: false });
});

test('a running request warns early that it cannot end in time at the measured rate, and stops warning when it can', () => {
  const provisional = (rate: number) => [{ requestId: ID, agentId: 'a', count: 1, bytes: 40, rate, updatedAt: NOW }];
  const row = makeRow({ totalCount: 6001, timeoutAt: NOW + 60_000, queuedAt: NOW - 3000 });
  const reason = (change: Partial<RequestRow>, rate: number) =>
    viewProgress({ ...row, ...change }, provisional(rate), IDLE, NOW).status_reason;
  expect(reason({}, 50)).toBe(
    'will not be done in time: 6000 targets at 50/s take 2 min, and the timeout comes in 60 s; more agents, fewer URLs or POPs, or a longer timeout would help',
  );
  expect(reason({}, 100)).toBeNull();
  expect(reason({ queuedAt: NOW - 2999 }, 50)).toBeNull();
  expect(reason({ timeoutAt: null }, 50)).toBeNull();
  expect(reason({}, 0)).toBeNull();
  expect(reason({ status: 'STOPPED', statusReason: 'cancelled' }, 50)).toBe('cancelled');
});
