import { expect, test } from 'vitest';
import { summariseFailures } from '../../../core/report/summarise-failures.ts';
import { viewUrlStatus } from '../../../core/report/view-url-status.ts';
import {
  advanceAll,
  aggregateAll,
  answer,
  getRow,
  ID,
  makeSpec,
  makeUrls,
  openFixture,
  readReport,
  workAll,
  workTask,
} from '../../../testing/pipeline-fixture.ts';

const POPS = ['SIN2-P1', 'FRA56-P4', 'GRU1-C2'];

/** URLs of the report by what happened to them at all POPs. */
async function judged(fixture: ReturnType<typeof openFixture>) {
  const report = await readReport(fixture.pipeline);
  const failed = report.filter(({ outcome }) => outcome === 'failed');
  return { urls: new Set(failed.map(({ url }) => url)), pops: new Set(failed.map(({ pop }) => pop)) };
}

test('the summary names each URL and POP that failed once, and its counts by URL add up to the request', async () => {
  const fixture = openFixture({
    pops: { 'GRU1-C2': 'pop_unresolvable' },
    head: ({ url }) => answer({ contentLength: url.endsWith('=3') ? 6e10 : 1000 }),
  });
  const urls = makeUrls(60);
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(POPS), urls });
  await advanceAll(fixture.pipeline);

  const open = await viewUrlStatus(fixture.ports, await getRow(fixture.ports));
  expect(open).toMatchObject({ total: 60, completed: 0, inProgress: 60, failedUrls: [] });
  await aggregateAll(fixture);
  // The planner has recorded what needs no agent: every URL has failed at the POP that does not resolve.
  expect(await viewUrlStatus(fixture.ports, await getRow(fixture.ports))).toMatchObject({ completed: 0, inProgress: 0 });

  await workAll(fixture);
  await aggregateAll(fixture);
  const row = await getRow(fixture.ports);
  expect(row.status).toBe('FINISHED');
  const seen = await judged(fixture);
  const summary = await summariseFailures(fixture.ports, row);
  expect(new Set(summary.urls)).toEqual(seen.urls);
  expect(new Set(summary.pops)).toEqual(seen.pops);
  expect(summary.urls).toHaveLength(60);
});

test('a URL is completed when every POP has it, failed when one failed to get it, and in progress otherwise', async () => {
  const fixture = openFixture();
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(POPS.slice(0, 2), { agents: 3 }), urls: makeUrls(40) });
  await advanceAll(fixture.pipeline);
  const tasks = await fixture.ports.tasks.receive(100, 0);
  for (const { message } of tasks.filter(({ message }) => message.slice.number < 3)) await workTask(fixture.ports, message);
  await aggregateAll(fixture);

  const status = await viewUrlStatus(fixture.ports, await getRow(fixture.ports));
  const rows = Math.max(...tasks.map(({ message }) => message.slice.rows));
  expect(status.total).toBe(40);
  expect(status.completed + status.inProgress + status.failedUrls.length).toBe(40);
  expect(status.inProgress).toBe(40 - 3 * rows);
  expect(new Set([...status.completedUrls, ...status.inProgressUrls, ...status.failedUrls])).toEqual(new Set(makeUrls(40)));

  await fixture.pipeline.end(ID, 'STOPPED', null);
  const stopped = await getRow(fixture.ports);
  expect(new Set((await viewUrlStatus(fixture.ports, stopped)).failedUrls)).toEqual((await judged(fixture)).urls);
  expect(new Set((await summariseFailures(fixture.ports, stopped)).urls)).toEqual((await judged(fixture)).urls);
});

test('a request that ended before it had a plan failed at every URL and POP', async () => {
  const fixture = openFixture();
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(POPS), urls: makeUrls(5) });
  expect(await viewUrlStatus(fixture.ports, await getRow(fixture.ports))).toMatchObject({
    total: 5,
    inProgress: 5,
    inProgressUrls: makeUrls(5),
  });
  await fixture.pipeline.end(ID, 'STOPPED', null);
  const row = await getRow(fixture.ports);
  expect(await summariseFailures(fixture.ports, row)).toEqual({ pops: POPS, urls: makeUrls(5) });
  expect(await viewUrlStatus(fixture.ports, row)).toMatchObject({ total: 5, inProgress: 0, completed: 0, failedUrls: makeUrls(5) });
});

test('the lists hold at most 1,000 names, and the counts include everything', async () => {
  const fixture = openFixture({ pops: { 'SIN2-P1': 'pop_unresolvable' } });
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(1500) });
  await advanceAll(fixture.pipeline);
  await aggregateAll(fixture);
  const row = await getRow(fixture.ports);
  expect(row.counters.failed).toBe(1500);
  expect((await summariseFailures(fixture.ports, row)).urls).toHaveLength(1000);
  const status = await viewUrlStatus(fixture.ports, row);
  expect(status).toMatchObject({ total: 1500, completed: 0, inProgress: 0 });
  expect(status.failedUrls).toHaveLength(1000);
});

test('the lists hold fewer long URLs, so that an answer of three lists stays below the 6 MB of a function', async () => {
  const fixture = openFixture({ pops: { 'SIN2-P1': 'pop_unresolvable' } });
  const long = 'x'.repeat(8000);
  const urls = makeUrls(300).map((url) => `${url}&${long}`);
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls });
  await advanceAll(fixture.pipeline);
  await aggregateAll(fixture);
  const row = await getRow(fixture.ports);
  const { failedUrls, total } = await viewUrlStatus(fixture.ports, row);
  expect(total).toBe(300);
  for (const listed of [failedUrls, (await summariseFailures(fixture.ports, row)).urls]) {
    expect(listed.length).toBeGreaterThan(100);
    expect(JSON.stringify(listed).length).toBeLessThan(6_000_000 / 3);
  }
});
