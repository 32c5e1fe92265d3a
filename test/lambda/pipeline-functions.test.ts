import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../adapters/embedded/database.ts';
import { createSqliteQueue } from '../../adapters/embedded/sqlite-queue.ts';
import { systemClock } from '../../core/clock.ts';
import { recordTask } from '../../core/work/record-task.ts';
import type { Counters } from '../../core/work/counters.ts';
import { PrewarmError } from '../../core/errors.ts';
import { createAdvanceHandler } from '../../lambda/advance-handler.ts';
import type { RequestMessage } from '../../lambda/event-records.ts';
import { countRecorded, T0 } from '../../testing/request-rows.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import { advanceAll, faultsOf, getRow, ID, makeSpec, makeUrls, readReport, silence, workAll } from '../../testing/pipeline-fixture.ts';
import { deliverAll, leftOver } from './deliver.ts';
import type { PortFault } from './faulty-port.ts';
import { failuresOf, type FunctionWorld, LONG, openFunctions, queueRecord, requestRecord, taskRecord } from './function-world.ts';

const POPS = ['SIN2-P1', 'FRA56-P4', 'GRU3-P1'];
const EDGE = { pops: { 'GRU3-P1': 'pop_unresolvable' } } as const;
const URLS = makeUrls(10);
/** Several shares of sizing, and of planning. */
const SMALL = { shareUrls: 4, shareTasks: 2 };
const OTHER = '0b9f2f0e-3f63-4f0e-8a30-000000000001';

async function accept(world: FunctionWorld, id = ID): Promise<void> {
  await world.pipeline.accept({ id, spec: makeSpec(POPS, { timeoutMinutes: 30 }), urls: URLS });
}

async function judge(world: FunctionWorld): Promise<string[]> {
  const row = await getRow(world.ports);
  return [...faultsOf(row, await readReport(world.pipeline), URLS, POPS), ...(await leftOver(world))];
}

test('a request goes through the functions to its end, each event once', async () => {
  const world = openFunctions(EDGE, SMALL);
  await accept(world);
  await deliverAll(world);
  expect(await judge(world)).toEqual([]);
  expect(await getRow(world.ports)).toMatchObject({ status: 'FINISHED', counters: { failed: 10, 'reason.pop_unresolvable': 10 } });
  const recorded = await countRecorded(world.ports.store, ID);
  expect(world.told.figures.filter(({ name }) => name === 'TargetsWarmed').reduce((sum, { value }) => sum + value, 0)).toBe(recorded);
  // A sum of figures has no value in a minute that lacks one of them.
  expect(world.told.figures).toContainEqual({ name: 'TargetsFailed', value: 0 });
});

test('events that come twice and out of order count nothing twice', async () => {
  const world = openFunctions(EDGE, SMALL);
  await accept(world);
  await deliverAll(world, { copies: 2 });
  // All of it once more, long after the end.
  for (const handler of [world.task, world.getSize]) {
    expect(failuresOf(await handler({ Records: [requestRecord(ID)] }, LONG))).toEqual([]);
    expect(failuresOf(await handler({ Records: [queueRecord({ requestId: ID })] }, LONG))).toEqual([]);
  }
  const ids = [...(await world.ports.store.countedTasks(ID, 'SIN2-P1'))];
  expect(failuresOf(await world.aggregate({ Records: ids.map((id) => taskRecord(ID, id)) }))).toEqual([]);
  expect(await judge(world)).toEqual([]);
});

test('a store that fails in the middle of any step neither loses nor doubles anything', async () => {
  const quiet = openFunctions(EDGE, SMALL);
  await accept(quiet);
  await deliverAll(quiet);
  const calls = quiet.faults.calls;
  expect(calls).toBeGreaterThan(80);
  const wrong: string[] = [];
  for (const fault of ['before', 'after'] satisfies PortFault[]) {
    for (let at = fault === 'before' ? 1 : 4; at <= calls; at += 7) {
      const world = openFunctions(EDGE, SMALL);
      world.faults.decide = (nth) => (nth === at ? fault : null);
      await accept(world);
      await deliverAll(world);
      expect(world.faults.happened).toBe(1);
      for (const found of await judge(world)) wrong.push(`call ${at}, ${fault}: ${found}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('a store that keeps failing only delays the work', async () => {
  const world = openFunctions(EDGE, SMALL);
  world.faults.decide = (nth) => (nth % 13 === 0 ? 'before' : nth % 17 === 0 ? 'after' : null);
  await accept(world);
  await deliverAll(world, { copies: 2, retries: 60 });
  world.faults.decide = () => null;
  expect(world.faults.happened).toBeGreaterThan(20);
  expect(await judge(world)).toEqual([]);
});

test('the answer names only a poisoned record, and the function handles its neighbours', async () => {
  const world = openFunctions(EDGE);
  await accept(world);
  await accept(world, OTHER);
  const [poisoned, none] = [requestRecord(null), requestRecord('0b9f2f0e-3f63-4f0e-8a30-00000000dead')];
  const streamed = await world.getSize({ Records: [requestRecord(ID), poisoned, none, requestRecord(OTHER)] }, LONG);
  expect(failuresOf(streamed)).toEqual([poisoned.dynamodb?.SequenceNumber]);
  for (const id of [ID, OTHER]) expect(await getRow(world.ports, id)).toMatchObject({ status: 'QUEUEING' });
  const bad = ['', '{', '[]', 'null', '{"requestId": 7}', '{"requestId": ""}'].map((body) => queueRecord(body));
  const queued = await world.task({ Records: [queueRecord({ requestId: ID }), ...bad, queueRecord({ requestId: OTHER })] }, LONG);
  expect(failuresOf(queued)).toEqual(bad.map(({ messageId }) => messageId));
  for (const id of [ID, OTHER]) expect(await getRow(world.ports, id)).toMatchObject({ status: 'IN_PROGRESS' });
  expect(failuresOf(await world.getSize({ Records: [poisoned] }, LONG))).toEqual([poisoned.dynamodb?.SequenceNumber]);
});

test('the function counts tasks except those that cannot be counted, whatever comes with them', async () => {
  const world = openFunctions();
  await accept(world);
  await accept(world, OTHER);
  await advanceAll(world.pipeline);
  await advanceAll(world.pipeline, OTHER);
  const alien = { requestId: ID, taskId: 'NRT57-P3#0#0', pop: 'NRT57-P3' };
  await recordTask({ ...world.ports, clock: systemClock }, alien, '', { warmed: 5 } as Partial<Counters> as Counters);
  await workAll(world);
  const told = world.stores.outbox.take('task', 100).map(({ requestId, taskId }) => taskRecord(requestId, taskId ?? ''));
  const empty = { ...taskRecord('', ''), dynamodb: { SequenceNumber: 'empty' } };
  const removed = { ...taskRecord(ID, 'SIN2-P1#0#0'), eventName: 'REMOVE' as const };
  const answer = await world.aggregate({ Records: [empty, ...told, removed, taskRecord(OTHER, 'not there')] });
  const alienRecord = told.find(({ dynamodb }) => dynamodb?.Keys?.['taskId']?.S === alien.taskId);
  expect(new Set(failuresOf(answer))).toEqual(new Set(['empty', alienRecord?.dynamodb?.SequenceNumber]));
  for (const id of [ID, OTHER]) expect(await getRow(world.ports, id)).toMatchObject({ status: 'FINISHED', totalCount: 30 });
});

test('a request whose tables fail does not keep others from being counted, and is counted later', async () => {
  const world = openFunctions();
  await accept(world);
  await accept(world, OTHER);
  await advanceAll(world.pipeline);
  await advanceAll(world.pipeline, OTHER);
  await workAll(world);
  const told = world.stores.outbox.take('task', 100).map(({ requestId, taskId }) => taskRecord(requestId, taskId ?? ''));
  world.faults.decide = (nth) => (nth === 1 ? 'before' : null);
  const failed = failuresOf(await world.aggregate({ Records: told }));
  const ofFirst = told.filter(({ dynamodb }) => dynamodb?.Keys?.['requestId']?.S === told[0]?.dynamodb?.Keys?.['requestId']?.S);
  expect(failed).toEqual(ofFirst.map(({ dynamodb }) => dynamodb?.SequenceNumber));
  expect(failuresOf(await world.aggregate({ Records: ofFirst }))).toEqual([]);
  for (const id of [ID, OTHER]) expect(await getRow(world.ports, id)).toMatchObject({ status: 'FINISHED' });
});

test('work that has no time left comes back by the queue, or by its own record if the queue fails', async () => {
  const world = openFunctions(EDGE, SMALL);
  await accept(world);
  const short = { getRemainingTimeInMillis: () => 60_000 };
  expect(failuresOf(await world.getSize({ Records: [requestRecord(ID)] }, LONG))).toEqual([]);
  expect((await getRow(world.ports)).sizing.parts).toBe(1);
  expect(await world.sizes.counts()).toMatchObject({ available: 1 });
  expect(failuresOf(await world.getSize({ Records: [queueRecord({ requestId: ID })] }, short))).toEqual([]);
  expect((await getRow(world.ports)).sizing.parts).toBe(2);
  expect(await world.sizes.counts()).toMatchObject({ available: 2 });
  const message = queueRecord({ requestId: ID });
  world.faults.decide = () => (world.faults.calls > 0 && world.told.lines.length > 0 ? 'before' : null);
  expect(failuresOf(await world.getSize({ Records: [message] }, short))).toEqual([message.messageId]);
});

test('work that is cut off at the end of the time continues later', async () => {
  let released = () => {};
  const hanging = new Promise<void>((resolve) => {
    released = resolve;
  });
  const world = openFunctions({
    head: async ({ scope }) => {
      await Promise.race([hanging, new Promise<void>((resolve) => void scope.onCancel(resolve))]);
      return { ...silence, error: 'cancelled' };
    },
  });
  await accept(world);
  const startedAt = Date.now();
  const time = { getRemainingTimeInMillis: () => 10_100 - (Date.now() - startedAt) };
  expect(failuresOf(await world.getSize({ Records: [requestRecord(ID)] }, time))).toEqual([]);
  expect((await getRow(world.ports)).sizing.parts).toBe(0);
  expect(await world.sizes.counts()).toMatchObject({ available: 1 });
  released();
});

test('the function records dead letters once, and leaves one without content where it is', async () => {
  const world = openFunctions();
  await accept(world);
  await advanceAll(world.pipeline);
  const leased = await world.stores.tasks.receive(10, 0);
  const letters = leased.map(({ message }) => queueRecord(message));
  const [first] = leased;
  if (first === undefined) throw new Error('no tasks');
  const nowhere = queueRecord({ ...first.message, slice: { ...first.message.slice, part: 77 } });
  const bad = [queueRecord('{}'), queueRecord('not JSON'), queueRecord({ ...first.message, addresses: 'x' })];
  const answer = await world.deadLetter({ Records: [...bad, nowhere, ...letters, ...letters] });
  expect(failuresOf(answer)).toEqual([...bad, nowhere].map(({ messageId }) => messageId));
  await deliverAll(world);
  expect(await getRow(world.ports)).toMatchObject({ status: 'FINISHED', counters: { failed: 30, 'reason.exhausted': 30 } });
});

test('a failed share returns to its queue within half a minute, and a failure of that is only reported', async () => {
  const world = openFunctions(EDGE, SMALL);
  await accept(world);
  const clock = createManualClock(T0);
  const db = openDatabase(':memory:');
  onTestFinished(() => db.close());
  const sizes = createSqliteQueue<RequestMessage>(db, 'sizes', clock, { holder: 'one', leaseMs: 360_000, maxReceives: 20 });
  const broken = async () => {
    throw new PrewarmError('storage', 'throttled by the test');
  };
  const handlerWith = (goOn: Parameters<typeof createAdvanceHandler>[0]['goOn']) =>
    createAdvanceHandler({ pipeline: world.pipeline, store: { get: broken }, goOn, statuses: ['CREATED'], log: world.told.log });
  await sizes.send([{ requestId: ID }]);
  const pauses: number[] = [];
  for (let receive = 1; receive <= 5; receive++) {
    const [leased] = await sizes.receive(1, 0);
    const record = queueRecord(leased?.message, 'm', { receipt: leased?.receipt ?? '', receives: leased?.receiveCount ?? 0 });
    expect(failuresOf(await handlerWith(sizes)({ Records: [record] }, LONG))).toEqual(['m']);
    const failedAt = clock.now();
    while ((await sizes.counts()).available === 0) await clock.pass(1000);
    pauses.push((clock.now() - failedAt) / 1000);
  }
  expect(pauses).toEqual([5, 10, 20, 30, 30]);
  expect(failuresOf(await handlerWith({ send: broken, extend: broken })({ Records: [queueRecord({ requestId: ID }, 'n')] }, LONG))).toEqual(
    ['n'],
  );
  expect(world.told.lines.at(-1)).toMatchObject({ level: 'error', message: expect.stringContaining('when its lease ends') });
});
