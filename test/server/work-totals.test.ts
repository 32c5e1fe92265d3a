import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createWorkTotals, type WorkTotals } from '../../server/app/metrics.ts';
import type { Counters } from '../../core/work/counters.ts';
import type { RequestStatus } from '../../core/request/request.ts';
import { hasEnded, KEY, openEdge, serve, submit, until } from './served.ts';

const request = (id: string, status: RequestStatus, counters: Readonly<Record<string, number>>) => ({
  id,
  status,
  counters: counters as unknown as Counters,
});
const WARMED = 'prewarm_targets_total{outcome="warmed",reason=""}';
const NOT_FOUND = 'prewarm_targets_total{outcome="failed",reason="status_404"}';

/** The value of a sample; null: there is none. */
function sampleIn(text: string, sample: string): number | null {
  const line = text.split('\n').find((one) => one.startsWith(`${sample} `));
  return line === undefined ? null : Number(line.slice(sample.length + 1));
}

/** The page of these counters. */
async function render(totals: WorkTotals, active: Parameters<WorkTotals['addTo']>[1]): Promise<string> {
  const page = new Registry();
  totals.addTo(page, active);
  return page.metrics();
}

test('the totals count a request that began and ended between two looks once, however often its end is reported', async () => {
  const totals = createWorkTotals();
  expect(sampleIn(await render(totals, []), WARMED)).toBe(0);
  const ended = request('a', 'FINISHED', { warmed: 3, failed: 2, 'reason.status_404': 2, edge_bytes: 70, done_bytes: 30 });
  totals.ended(ended);
  totals.ended(ended);
  const text = await render(totals, []);
  expect(sampleIn(text, WARMED)).toBe(3);
  expect(sampleIn(text, NOT_FOUND)).toBe(2);
  expect(sampleIn(text, 'prewarm_edge_bytes_total')).toBe(70);
  expect(sampleIn(text, 'prewarm_object_bytes_total')).toBe(30);
  expect(sampleIn(text, 'prewarm_requests_ended_total{status="FINISHED"}')).toBe(1);
  expect(sampleIn(text, 'prewarm_requests_ended_total{status="TIMEOUT"}')).toBe(0);
});

test('no counter falls between the end of a request and its report, nor counts twice afterwards', async () => {
  const totals = createWorkTotals();
  const read = request('a', 'IN_PROGRESS', { warmed: 5 });
  expect(sampleIn(await render(totals, [read]), WARMED)).toBe(5);
  // It has ended, and nobody has told so yet.
  expect(sampleIn(await render(totals, []), WARMED)).toBe(5);
  totals.ended(request('a', 'FINISHED', { warmed: 6 }));
  expect(sampleIn(await render(totals, []), WARMED)).toBe(6);
  // It was read before its end.
  expect(sampleIn(await render(totals, [read]), WARMED)).toBe(6);
});

test('the totals leave out what a request had done before the process began', async () => {
  const totals = createWorkTotals();
  totals.begin([request('a', 'IN_PROGRESS', { warmed: 100 })]);
  expect(sampleIn(await render(totals, [request('a', 'IN_PROGRESS', { warmed: 104 })]), WARMED)).toBe(4);
  totals.ended(request('a', 'FINISHED', { warmed: 110 }));
  expect(sampleIn(await render(totals, []), WARMED)).toBe(10);
});

test('the metrics of an idle server have a sample for each status, and count a short request afterwards', async () => {
  const { edge, flags } = await openEdge({ pops: [{ pop: 'SIN2-P1' }] });
  const served = await serve([...flags, '--json']);
  const metrics = async () => (await fetch(`${served.url}/metrics`, { headers: { 'x-api-key': KEY } })).text();
  const idle = await metrics();
  for (const status of ['CREATED', 'SIZING', 'QUEUEING', 'IN_PROGRESS'])
    expect(sampleIn(idle, `prewarm_active_requests{status="${status}"}`)).toBe(0);
  expect(idle).toMatch(/^prewarm_build_info\{version="\d+\.\d+\.\d+"\} 1$/m);
  expect(sampleIn(idle, WARMED)).toBe(0);
  const urls = ['/o/1k/a', '/o/1k/b', '/missing'].map((path) => `https://${edge.host}${path}`);
  const id = await submit(served, { url_list: urls, pops: ['SIN2-P1'], name: 'spring launch' });
  await until(served, id, hasEnded);
  await expect.poll(async () => sampleIn(await metrics(), 'prewarm_requests_ended_total{status="FINISHED"}')).toBe(1);
  const after = await metrics();
  expect(sampleIn(after, WARMED)).toBe(2);
  expect(sampleIn(after, NOT_FOUND)).toBe(1);
  expect(sampleIn(after, 'prewarm_object_bytes_total')).toBe(2048);

  const lines = served
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const told = (msg: string) => lines.filter((line) => line['msg'] === msg && line['request_id'] === id);
  expect(told('request accepted')).toMatchObject([{ level: 'info', name: 'spring launch', url_count: 3, pop_count: 1, key: 'default' }]);
  expect(told('request ended')).toMatchObject([
    { status: 'FINISHED', warmed: 2, failed: 1, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) },
  ]);
  expect(told('request ended')[0]).not.toHaveProperty('reason');
});
