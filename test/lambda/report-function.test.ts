import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { createS3Links } from '../../adapters/aws/s3-links.ts';
import { createNotifier } from '../../adapters/http/notifier.ts';
import { PrewarmError } from '../../core/errors.ts';
import { keys } from '../../core/keys.ts';
import { createPipeline } from '../../core/pipeline/create-pipeline.ts';
import type { ListStore } from '../../core/ports/list-store.ts';
import { readEndSummary, writeEndReport } from '../../lambda/end-report.ts';
import { createReportHandler } from '../../lambda/report/report-handler.ts';
import { createBucketReportLinks } from '../../lambda/api/report-links.ts';
import { openNotifiedServer } from '../../testing/notified-server.ts';
import { keepHeadersIn } from '../core/pipeline/kept-headers.ts';
import { ID, advanceAll, aggregateAll, getRow, makeSpec, makeUrls, readReport, workAll, workTask } from '../../testing/pipeline-fixture.ts';
import { openFunctions } from './function-world.ts';

interface Published {
  readonly subject: string;
  readonly message: string;
}

/** The function over embedded stores; the topic refuses while `failing` is above 0. */
function openReport(notifier = createNotifier({ allowPrivateAddresses: false })) {
  const world = openFunctions({ pops: { 'GRU3-P1': 'pop_unresolvable' } });
  const published: Published[] = [];
  const topic = {
    failing: 0,
    publish: async (subject: string, message: string) => {
      topic.failing -= 1;
      if (topic.failing >= 0) throw new PrewarmError('storage', 'the topic fails');
      published.push({ subject, message });
    },
  };
  const client = new S3Client({ region: 'eu-west-1', credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' } });
  const links = createS3Links(client, { bucket: 'lists' });
  const { store, lists } = world.ports;
  const viewerHeaders = keepHeadersIn(lists);
  const pipeline = createPipeline({ ...world.ports, viewerHeaders });
  const report = createReportHandler({ ...world.told, store, lists, viewerHeaders, pipeline: world.pipeline, links, topic, notifier });
  return { ...world, report, topic, published, links, viewerHeaders, apartPipeline: pipeline };
}

type Report = ReturnType<typeof openReport>;

async function finish(world: Report, notifyUrl?: string): Promise<void> {
  const spec = makeSpec(['SIN2-P1', 'GRU3-P1'], notifyUrl === undefined ? {} : { notifyUrl });
  await world.pipeline.accept({ id: ID, spec, urls: makeUrls(4) });
  await advanceAll(world.pipeline);
  await workAll(world);
  await aggregateAll(world);
}

const event = (id: string, requestId: unknown = ID) => ({ id, detail: { requestId } });
const figuresOf = ({ told }: Report, name: string) => told.figures.filter((figure) => figure.name === name);

test('the function reports and announces an end once, however often and by however many events it comes', async () => {
  const { url, caPem, bodies } = await openNotifiedServer();
  const world = openReport(createNotifier({ allowPrivateAddresses: true, ca: caPem }));
  await finish(world, url);
  await Promise.all(['a', 'b', 'c'].map((id) => world.report(event(id))));
  for (const id of ['a', 'a', 'd']) await world.report(event(id));
  expect(world.published).toHaveLength(1);
  expect(bodies).toHaveLength(1);
  const { subject, message } = world.published[0] ?? { subject: '', message: '{}' };
  expect(subject).toBe(`Pre-warming ${ID} FINISHED: 4 of 8 warm`);
  expect(JSON.parse(message)).toEqual(bodies[0]);
  expect(bodies[0]).toMatchObject({ request_id: ID, status: 'FINISHED', total_count: 8, download_count: 4, failed_count: 4 });
  const { report_url: link } = bodies[0] as { report_url: string };
  expect(new URL(link).pathname).toBe(`/${keys.failureReport(ID)}`);
  expect(new URL(link).searchParams.get('X-Amz-Expires')).toBe('3600');
  expect(figuresOf(world, 'RequestsEnded')).toEqual([{ name: 'RequestsEnded', value: 1, status: 'FINISHED' }]);
  expect(JSON.stringify(world.told.lines)).not.toContain('hush');

  const csv = await text(world.ports.lists.read(keys.failureReport(ID)));
  expect(csv.trim().split('\n')).toHaveLength(1 + 4);
  const summary = JSON.parse(await text(world.ports.lists.readResult(keys.endSummary(ID)))) as Record<string, unknown>;
  expect(summary).toMatchObject({ request_id: ID, failed_count: 4, failure_pops: ['GRU3-P1'] });
  expect(summary['failure_urls']).toHaveLength(4);
});

test('the report reads only POPs with failures, many tasks at once and in their order', async () => {
  const world = openReport();
  const spec = makeSpec(['SIN2-P1', 'GRU3-P1'], { agents: 20 });
  await world.pipeline.accept({ id: ID, spec, urls: makeUrls(40) });
  await advanceAll(world.pipeline);
  await workAll(world);
  await aggregateAll(world);
  const reads: string[] = [];
  let underWay = 0;
  let most = 0;
  const lists: ListStore = {
    ...world.ports.lists,
    async *readResult(key) {
      reads.push(key);
      underWay += 1;
      most = Math.max(most, underWay);
      await setTimeout(5);
      yield* world.ports.lists.readResult(key);
      underWay -= 1;
    },
  };
  const pipeline = createPipeline({ ...world.ports, lists });
  const row = await getRow(world.ports);
  await writeEndReport({ store: world.ports.store, lists, pipeline }, row);
  expect(new Set(reads.map((key) => /(SIN2|GRU3)/.exec(key)?.[0]))).toEqual(new Set(['GRU3']));
  expect(most).toBeGreaterThan(1);
  const [, ...rows] = (await text(world.ports.lists.read(keys.failureReport(ID)))).trim().split('\n');
  const whole = (await Array.fromAsync(world.pipeline.report(ID))).join('').trim().split('\n');
  expect(rows).toEqual(whole.filter((line) => line.includes(',GRU3-P1,')));
  expect(rows).toHaveLength(40);
  const kept = await readEndSummary(world.ports.lists, ID);
  expect(kept).toMatchObject({ pops: ['GRU3-P1'] });
  expect(new Set(kept?.urls)).toEqual(new Set(makeUrls(40)));
  expect(await readEndSummary(world.ports.lists, 'else')).toBeNull();
});

test('a failed topic gets the end when the same event is tried again, and no other event announces it meanwhile', async () => {
  const world = openReport();
  await finish(world);
  world.topic.failing = 2;
  await expect(world.report(event('a'))).rejects.toThrow('the topic fails');
  await world.report(event('b'));
  await expect(world.report(event('a'))).rejects.toThrow('the topic fails');
  expect(world.published).toEqual([]);
  await world.report(event('a'));
  await world.report(event('a'));
  expect(world.published).toHaveLength(1);
  expect(figuresOf(world, 'RequestsEnded')).toHaveLength(1);
});

test('the function counts a listener that it cannot notify, and fails nothing', async () => {
  const { url, bodies } = await openNotifiedServer();
  const world = openReport(createNotifier({ allowPrivateAddresses: false, firstPauseMs: 1 }));
  await finish(world, url);
  await world.report(event('a'));
  expect(figuresOf(world, 'NotificationsFailed')).toHaveLength(1);
  expect(world.published).toHaveLength(1);
  expect(bodies).toEqual([]);
  expect(world.told.lines.find(({ level }) => level === 'error')?.fields).toMatchObject({ request_id: ID });
});

test('the figures of a stopped request include stopped targets, a running one is refused, and an unknown one is skipped', async () => {
  const world = openReport();
  await world.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(4) });
  await expect(world.report(event('a'))).rejects.toMatchObject({ code: 'conflict' });
  await world.pipeline.end(ID, 'STOPPED', 'by the test');
  await world.report(event('a'));
  expect(figuresOf(world, 'RequestsEnded')).toEqual([{ name: 'RequestsEnded', value: 1, status: 'STOPPED' }]);
  expect(figuresOf(world, 'TargetsFailed')).toEqual([{ name: 'TargetsFailed', value: 4 }]);
  await world.report(event('b', '0b9f2f0e-3f63-4f0e-8a30-00000000dead'));
  for (const detail of [null, {}, { requestId: '' }, 'x']) {
    await expect(world.report({ id: 'c', detail })).rejects.toMatchObject({ code: 'invalid_input' });
  }
  expect(world.published).toHaveLength(1);
});

/** A stopped request of which three tasks are still under way, and the report as the API links to it. */
async function stopEarly(world: Report) {
  const { ports, pipeline, links } = world;
  await pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1', 'FRA56-P4', 'IAD89-P1'], { agents: 20 }), urls: makeUrls(4) });
  await advanceAll(pipeline);
  const underWay = (await ports.tasks.receive(10, 60_000)).map(({ message }) => message);
  expect(underWay.length).toBeGreaterThanOrEqual(3);
  await pipeline.end(ID, 'STOPPED', 'asked to');
  const writes: string[] = [];
  const lists: ListStore = {
    ...ports.lists,
    put: (key, chunks) => {
      writes.push(key);
      return ports.lists.put(key, chunks);
    },
  };
  const deps = { store: ports.store, lists, pipeline, links, events: ports.events };
  const reportOf = async (writeMs?: number) => {
    const link = await createBucketReportLinks({ ...deps, ...(writeMs === undefined ? {} : { writeMs }) }).linkTo(ID, '');
    const csv = await text(ports.lists.read(new URL(link).pathname.slice(1)));
    return csv.trim().split('\n').slice(1);
  };
  const embedded = async () => (await readReport(pipeline)).filter((row) => row['notes']?.includes('after_end') === true).length;
  const finishTask = async (nth: number) => {
    const task = underWay[nth];
    if (task === undefined) throw new Error('there is no such task');
    await workTask(ports, task);
    await aggregateAll(world);
  };
  return { reportOf, embedded, finishTask, writes };
}

const lateIn = (rows: readonly string[]) => rows.filter((row) => row.includes('after_end')).length;

test('a kept report gains later results as on a single machine, and is written for them once', async () => {
  const world = openReport();
  const { reportOf, embedded, finishTask, writes } = await stopEarly(world);
  await world.report(event('a'));
  const before = await reportOf();
  expect([before.length, lateIn(before), await embedded()]).toEqual([12, 0, 0]);
  await finishTask(0);
  for (let asked = 0; asked < 3; asked++) {
    const after = await reportOf();
    expect(after).toHaveLength(12);
    expect(lateIn(after)).toBe(await embedded());
    expect(lateIn(after)).toBeGreaterThan(0);
  }
  expect(writes).toHaveLength(1);
  await finishTask(1);
  await world.report(event('a'));
  const last = await reportOf();
  expect([last.length, lateIn(last)]).toEqual([12, await embedded()]);
  expect(writes).toHaveLength(1);
  expect(world.published).toHaveLength(1);
});

test('a report whose late results take long to read is given as it was kept, and a new announcement of the end has it written', async () => {
  const world = openReport();
  const { reportOf, embedded, finishTask } = await stopEarly(world);
  await finishTask(0);
  await world.report(event('a'));
  expect(lateIn(await reportOf())).toBe(await embedded());
  await finishTask(1);
  const told = world.ended.length;
  expect(lateIn(await reportOf(0))).toBeLessThan(await embedded());
  expect(world.ended.length).toBe(told + 1);
  await world.report(event('b'));
  expect(lateIn(await reportOf())).toBe(await embedded());
  expect(world.published).toHaveLength(1);
});

test('the function finds the report of an earlier version, also when its late tasks have expired', async () => {
  const world = openReport();
  const { reportOf, finishTask } = await stopEarly(world);
  await world.ports.lists.put(keys.failureReport(ID), ['url\n', 'kept\n']);
  await world.ports.lists.putResult(keys.endSummary(ID), '{"failure_pops":[],"failure_urls":[]}', {});
  expect(await reportOf()).toEqual(['kept']);
  await finishTask(0);
  expect(lateIn(await reportOf())).toBeGreaterThan(0);
  const row = await getRow(world.ports);
  const store = { ...world.ports.store, uncountedTasks: async () => 0 };
  expect(await writeEndReport({ ...world.ports, store, pipeline: world.pipeline }, row)).toBe(keys.failureReport(ID));
});

test('headers that are kept apart are deleted after the end is announced, and only where there are some', async () => {
  const world = openReport();
  const variants = [{ name: 'default', headers: [['Authorization', 'Bearer token-1']] as const }];
  await world.apartPipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1'], { variants }), urls: makeUrls(2) });
  const name = world.viewerHeaders.names.get(ID) ?? '';
  await world.apartPipeline.end(ID, 'STOPPED', null);
  world.topic.failing = 1;
  await expect(world.report(event('a'))).rejects.toThrow('the topic fails');
  expect(await world.viewerHeaders.read(name)).toEqual([[['Authorization', 'Bearer token-1']]]);
  await world.report(event('a'));
  await expect(world.viewerHeaders.read(name)).rejects.toMatchObject({ code: 'not_found' });

  const other = 'bbbbbbbb-0000-4000-8000-000000000000';
  await world.apartPipeline.accept({ id: other, spec: makeSpec(['SIN2-P1']), urls: makeUrls(2) });
  await world.apartPipeline.end(other, 'STOPPED', null);
  await world.report(event('b', other));
  expect(world.viewerHeaders.calls.filter((call) => call.startsWith('drop'))).toEqual([`drop ${ID}`]);
});
