import { countRecorded } from '../../../testing/request-rows.ts';
import { expect, test } from 'vitest';
import { keys } from '../../../core/keys.ts';
import { formatUrlRow } from '../../../core/work/sized-list.ts';
import {
  advanceAll,
  aggregateAll,
  answer,
  faultsOf,
  getRow,
  ID,
  makeSpec,
  makeUrls,
  openFixture,
  readReport,
  workAll,
} from '../../../testing/pipeline-fixture.ts';

const POPS = ['SIN2-P1', 'FRA56-P4', 'IAD89-P1'];

test('a request runs from its list to its report, each target in exactly one row', async () => {
  const fixture = openFixture();
  const { pipeline, ports, fleet, ended } = fixture;
  const urls = makeUrls(50);
  const row = await pipeline.accept({ id: ID, spec: makeSpec(POPS, { timeoutMinutes: 30, agents: 3 }), urls });
  expect(row).toMatchObject({ status: 'CREATED', urlCount: 50, totalCount: 150 });
  expect(fleet.capacity).toBe(3);
  expect(fixture.stores.timers.takeDue(row.timeoutAt ?? 0, 10)).toHaveLength(1);
  await advanceAll(pipeline);
  const queued = await getRow(ports);
  expect(queued).toMatchObject({ status: 'IN_PROGRESS', totalCount: 150, totalBytes: 150_000 });
  const ids = await workAll(fixture);
  expect(ids.length).toBeGreaterThanOrEqual(4 * 3);
  await aggregateAll(fixture);
  const finished = await getRow(ports);
  expect(finished.status).toBe('FINISHED');
  expect(faultsOf(finished, await readReport(pipeline), urls, POPS)).toEqual([]);
  expect(ended.map(({ status }) => status)).toContain('FINISHED');
  expect(fleet.capacity).toBe(0);
  expect(fixture.stores.timers.takeDue(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
});

test('accepting an id again answers the existing row and writes nothing', async () => {
  const { pipeline, ports } = openFixture();
  const first = await pipeline.accept({ id: ID, spec: makeSpec(POPS), urls: makeUrls(5) });
  const again = await pipeline.accept({ id: ID, spec: makeSpec(POPS, { agents: 5 }), urls: makeUrls(9) });
  expect(again).toEqual(first);
  expect(await Array.fromAsync(ports.lists.read(keys.urls(ID)))).toHaveLength(1);
});

test('the pipeline takes an already written list as it is', async () => {
  const { pipeline, ports } = openFixture();
  await ports.lists.put(keys.urls(ID), makeUrls(4).map(formatUrlRow));
  expect(await pipeline.accept({ id: ID, spec: makeSpec(POPS), urls: 4 })).toMatchObject({ urlCount: 4, totalCount: 12 });
});

test('a request whose every target failed is FINISHED', async () => {
  const fixture = openFixture({ pops: { 'SIN2-P1': 'pop_unresolvable', 'FRA56-P4': 'address_refused' } });
  const { pipeline, ports } = fixture;
  const urls = makeUrls(30);
  const pops = ['SIN2-P1', 'FRA56-P4'];
  await pipeline.accept({ id: ID, spec: makeSpec(pops), urls });
  await advanceAll(pipeline);
  expect(await workAll(fixture)).toEqual([]);
  await aggregateAll(fixture);
  const row = await getRow(ports);
  expect(row).toMatchObject({
    status: 'FINISHED',
    counters: { failed: 60, 'reason.pop_unresolvable': 30, 'reason.address_refused': 30 },
  });
  const report = await readReport(pipeline);
  expect(faultsOf(row, report, urls, pops)).toEqual([]);
  expect(new Set(report.map(({ notes }) => notes))).toEqual(new Set(['cause=by the test']));
});

test('the plan skips default POPs that do not resolve, and without any left the request is FAILED', async () => {
  const spec = makeSpec([], { pops: POPS.map((pop) => ({ pop, named: false })) });
  const fixture = openFixture({ pops: { 'FRA56-P4': 'pop_unresolvable', 'IAD89-P1': 'address_refused' } });
  await fixture.pipeline.accept({ id: ID, spec, urls: makeUrls(3) });
  await advanceAll(fixture.pipeline);
  expect((await getRow(fixture.ports)).plan).toMatchObject({ pops: ['SIN2-P1', 'IAD89-P1'], skipped: ['FRA56-P4'], totalCount: 6 });

  const none = openFixture({ pops: Object.fromEntries(POPS.map((pop) => [pop, 'pop_unresolvable' as const])) });
  await none.pipeline.accept({ id: ID, spec, urls: makeUrls(3) });
  await advanceAll(none.pipeline);
  const failed = await getRow(none.ports);
  expect(failed).toMatchObject({ status: 'FAILED', totalCount: 9, counters: { failed: 9, 'reason.stopped': 9 } });
  expect(failed.statusReason).toContain('none of the 3 default POPs');
  expect(faultsOf(failed, await readReport(none.pipeline), makeUrls(3), POPS)).toEqual([]);
});

test('the pipeline queues tasks a block of POPs at a time, slice by slice', async () => {
  const pops = ['SIN2-P1', 'FRA56-P4', 'IAD89-P1', 'DUB2-C1', 'SYD1-C1'];
  const fixture = openFixture();
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(pops), urls: makeUrls(1000) });
  await advanceAll(fixture.pipeline);
  const block = pops.slice(0, 4);
  const ids = await workAll(fixture);
  expect(ids).toEqual([...block.map((pop) => `${pop}#0#0`), ...block.map((pop) => `${pop}#0#1`), 'SYD1-C1#0#0', 'SYD1-C1#0#1']);
});

test('stopping keeps one row for every target, with the results that came later noted', async () => {
  const fixture = openFixture();
  const { pipeline, ports } = fixture;
  const urls = makeUrls(40);
  const variants = ['gzip', 'br'];
  const spec = makeSpec(POPS, { variants: variants.map((name) => ({ name, headers: [] })) });
  await pipeline.accept({ id: ID, spec, urls });
  await advanceAll(pipeline);
  await workAll(fixture, variants);
  const [first, ...late] = fixture.stores.outbox.take('task', 100).map((record) => record.taskId ?? '');
  await pipeline.aggregate([{ requestId: ID, taskId: first ?? '' }]);
  await pipeline.end(ID, 'STOPPED', 'asked to');
  const stopped = await getRow(ports);
  await pipeline.aggregate(late.map((taskId) => ({ requestId: ID, taskId })));
  expect(await getRow(ports)).toEqual(stopped);
  const report = await readReport(pipeline);
  expect(faultsOf(stopped, report, urls, POPS)).toEqual([]);
  const afterEnd = report.filter((line) => line['notes']?.includes('after_end'));
  expect(afterEnd).toHaveLength(stopped.counters['reason.stopped'] ?? 0);
  expect(afterEnd[0]).toMatchObject({
    outcome: 'failed',
    reason: 'stopped',
    x_cache_last: 'Hit',
    attempts: '2',
    notes: 'verified;after_end',
  });
});

test('stopping before the plan reports every URL at every POP', async () => {
  const { pipeline, ports } = openFixture();
  const urls = makeUrls(7);
  await pipeline.accept({ id: ID, spec: makeSpec(POPS), urls });
  await pipeline.advance(ID);
  await expect(readReport(pipeline)).rejects.toMatchObject({ code: 'conflict' });
  await pipeline.end(ID, 'STOPPED', null);
  expect(await pipeline.advance(ID)).toEqual({ next: 'nothing' });
  expect(faultsOf(await getRow(ports), await readReport(pipeline), urls, POPS)).toEqual([]);
  await expect(readReport(pipeline, 'no-such-request')).rejects.toMatchObject({ code: 'not_found' });
});

test('an end sees a plan fixed meanwhile, so that it stops exactly the targets of the plan', async () => {
  const spec = makeSpec([], { pops: POPS.map((pop) => ({ pop, named: false })) });
  let planned = false;
  const fixture = openFixture({ pops: { 'FRA56-P4': 'pop_unresolvable' } }, {}, (ports) => ({
    ...ports,
    store: {
      ...ports.store,
      end: async (id, status, end) => {
        if (!planned) {
          planned = true;
          await advanceAll(fixture.pipeline);
        }
        return ports.store.end(id, status, end);
      },
    },
  }));
  await fixture.pipeline.accept({ id: ID, spec, urls: makeUrls(5) });
  expect(await fixture.pipeline.end(ID, 'STOPPED', null)).toMatchObject({ totalCount: 10, counters: { failed: 10 } });
});

test('a task that is sent names its request, its POP with addresses, its wave and its slice', async () => {
  const { pipeline, ports } = openFixture();
  await pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(8) });
  await advanceAll(pipeline);
  const [task] = await ports.tasks.receive(1, 0);
  expect(task?.message).toEqual({
    requestId: ID,
    taskId: 'SIN2-P1#0#0',
    pop: 'SIN2-P1',
    addresses: ['SIN2-P1-a', 'SIN2-P1-b'].map((ip) => ({ ip, port: 443, httpPort: 80 })),
    wave: 0,
    slice: expect.objectContaining({ list: 'sized', number: 0, part: 0, start: 0 }),
  });
});

test('the pipeline records a dead letter as exhausted once, and not for a request that has ended', async () => {
  const fixture = openFixture();
  const { pipeline, ports } = fixture;
  await pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(8) });
  await advanceAll(pipeline);
  const [dead, second] = await ports.tasks.receive(2, 0);
  if (dead === undefined || second === undefined) throw new Error('two tasks were expected');
  await pipeline.recordDead(dead.message);
  await pipeline.recordDead(dead.message);
  await aggregateAll(fixture);
  expect((await getRow(ports)).counters).toMatchObject({ failed: dead.message.slice.rows, 'reason.exhausted': dead.message.slice.rows });
  await pipeline.end(ID, 'STOPPED', null);
  await pipeline.recordDead(second.message);
  expect(await countRecorded(ports.store, ID)).toBe(1);
});

test('a timer ends a late request, sets itself again when early, and does nothing for an unknown request', async () => {
  const { pipeline, ports, stores } = openFixture();
  await pipeline.fireTimer('no-such-request');
  await pipeline.accept({ id: ID, spec: makeSpec(POPS, { timeoutMinutes: 30 }), urls: makeUrls(2) });
  await ports.timers.cancel(ID);
  await pipeline.fireTimer(ID);
  expect((await getRow(ports)).status).toBe('CREATED');
  expect(stores.timers.takeDue(Number.MAX_SAFE_INTEGER, 10)).toHaveLength(1);
  await ports.store.setTimeoutAt(ID, ports.clock.now() - 1);
  await pipeline.fireTimer(ID);
  const statusReason = 'not done within 30 minutes; no agent ever reported having taken a task of it';
  expect(await getRow(ports)).toMatchObject({ status: 'TIMEOUT', statusReason, counters: { failed: 6 } });
});

test('the fleet follows the claims, up to its maximum, also when one changes meanwhile', async () => {
  const { pipeline, ports, fleet } = openFixture({}, {}, (ports) => ({
    ...ports,
    fleet: {
      ...ports.fleet,
      setCapacity: async (agents) => {
        if (agents === 2) await ports.store.setRequestClaim(ID, 3);
        await ports.fleet.setCapacity(agents);
      },
    },
  }));
  await pipeline.accept({ id: ID, spec: makeSpec(POPS, { agents: 2 }), urls: makeUrls(1) });
  expect(fleet.capacity).toBe(3);
  await ports.store.setOperatorClaim({ agents: 4, lapsesAt: ports.clock.now() + 60_000 });
  expect(await pipeline.reconcileFleet()).toBe(7);
  await ports.store.setOperatorClaim({ agents: 400, lapsesAt: ports.clock.now() + 60_000 });
  expect(await pipeline.reconcileFleet()).toBe(8);
  await ports.store.setOperatorClaim({ agents: 4, lapsesAt: ports.clock.now() - 1 });
  expect(await pipeline.reconcileFleet()).toBe(3);
});

test('a URL that sizing refused fails at every POP, and is listed with its reason', async () => {
  const urls = makeUrls(6);
  const head = (url: string) => answer(url === urls[2] ? { contentLength: 50_000_000_001 } : { contentLength: 10 });
  const fixture = openFixture({ head: (ask) => head(ask.url) }, { shareUrls: 2 });
  const { pipeline, ports } = fixture;
  await pipeline.accept({ id: ID, spec: makeSpec(POPS), urls });
  await advanceAll(pipeline);
  await workAll(fixture);
  await aggregateAll(fixture);
  const row = await getRow(ports);
  const report = await readReport(pipeline);
  expect(faultsOf(row, report, urls, POPS)).toEqual([]);
  expect(report.filter((line) => line['reason'] === 'too_large').map((line) => [line['url'], line['pop']])).toEqual(
    POPS.map((pop) => [urls[2], pop]),
  );
  const failed = await Array.fromAsync(ports.lists.read(keys.part(ID, 'failed', 1)));
  expect(Buffer.concat(failed).toString()).toBe(`"${urls[2]}",too_large\n`);
});
