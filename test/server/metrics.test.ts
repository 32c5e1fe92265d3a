import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { openEmbeddedStores } from '../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../adapters/embedded/holder.ts';
import { addCounter, addGauge, createMetrics } from '../../server/app/metrics.ts';
import { systemClock } from '../../core/clock.ts';
import { temporaryDir } from '../../testing/temporary-dir.ts';

const fleet = { maximum: 3, getCapacity: async () => 2 };

function openStores() {
  const stores = openEmbeddedStores(temporaryDir(), systemClock, { holder: createHolder() });
  onTestFinished(() => stores.close());
  return stores;
}

/** The samples of a page by name and labels. */
const samplesOf = (page: string) =>
  Object.fromEntries(
    page
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]),
  );

test("a label of a metric has the three escapes of Prometheus' format, and all other characters stay as they are", async () => {
  const page = new Registry();
  addGauge(page, { name: 'm', help: 'h', labels: ['a', 'b'] }, [[{ a: 'a\\b"c\nd', b: 'é\t\u0001漢' }, 1]]);
  expect(await page.metrics()).toBe('# HELP m h\n# TYPE m gauge\nm{a="a\\\\b\\"c\\nd",b="é\t\u0001漢"} 1\n');
});

test('samples of one counter with the same labels are one sample, their sum', async () => {
  const page = new Registry();
  const samples = [1, 0, 4].map((value) => [{ pop: 'SIN2-P1' }, value] as const);
  addCounter(page, { name: 'm', help: 'h', labels: ['pop'] }, samples);
  expect(samplesOf(await page.metrics())).toEqual({ 'm{pop="SIN2-P1"}': '5' });
});

test('the page of a server that has done nothing has every metric of the API, with its type and text, in this order', async () => {
  const metrics = createMetrics({ ...openStores(), fleet, version: '1.0.0' });
  const heads = (await metrics.render()).split('\n').filter((line) => line.startsWith('#'));
  expect(heads).toEqual(
    [
      ['prewarm_http_requests_total', 'counter', 'HTTP requests answered'],
      ['prewarm_http_request_seconds', 'histogram', 'Time to answer'],
      ['prewarm_active_requests', 'gauge', 'Requests that have not ended'],
      ['prewarm_active_targets', 'gauge', 'Targets of requests that have not ended'],
      ['prewarm_queue_tasks', 'gauge', 'Tasks on the queue'],
      ['prewarm_fleet_capacity', 'gauge', 'Agents wanted'],
      ['prewarm_build_info', 'gauge', 'Always 1; the label has the version'],
      ['prewarm_fleet_maximum', 'gauge', 'Most agents at a time'],
    ].flatMap(([name, type, help]) => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]),
  );
});

test('the metrics count answers by route, method and status, and their times in buckets that include the smaller ones', async () => {
  const metrics = createMetrics({ ...openStores(), fleet, version: '1.0.0' });
  for (const seconds of [0.001, 0.003, 30]) metrics.observe('/prewarm', 'GET', 200, seconds);
  metrics.observe('other', 'POST', 404, 0.5);
  const samples = samplesOf(await metrics.render());
  expect(samples).toMatchObject({
    'prewarm_http_requests_total{route="/prewarm",method="GET",status="200"}': '3',
    'prewarm_http_requests_total{route="other",method="POST",status="404"}': '1',
    'prewarm_http_request_seconds_bucket{le="0.001"}': '1',
    'prewarm_http_request_seconds_bucket{le="0.0025"}': '1',
    'prewarm_http_request_seconds_bucket{le="0.005"}': '2',
    'prewarm_http_request_seconds_bucket{le="0.5"}': '3',
    'prewarm_http_request_seconds_bucket{le="2.5"}': '3',
    'prewarm_http_request_seconds_bucket{le="+Inf"}': '4',
    prewarm_http_request_seconds_count: '4',
    prewarm_fleet_maximum: '3',
    'prewarm_build_info{version="1.0.0"}': '1',
  });
  expect(Number(samples['prewarm_http_request_seconds_sum'])).toBeCloseTo(30.504);
});

test('two servers in one process count apart, and pages that are rendered together do not mix', async () => {
  const [first, second] = [1, 2].map((n) => createMetrics({ ...openStores(), fleet: { ...fleet, maximum: n }, version: '1.0.0' }));
  if (first === undefined || second === undefined) throw new Error('two were made');
  first.observe('/prewarm', 'GET', 200, 0.01);
  const pages = await Promise.all([first.render(), second.render(), first.render()]);
  expect(pages.map((page) => samplesOf(page)['prewarm_http_request_seconds_count'])).toEqual(['1', '0', '1']);
  expect(pages.map((page) => samplesOf(page)['prewarm_fleet_maximum'])).toEqual(['1', '2', '1']);
});
