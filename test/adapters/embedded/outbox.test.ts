import { expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { createOutbox } from '../../../adapters/embedded/outbox.ts';
import { createSqliteRequestStore } from '../../../adapters/embedded/sqlite-request-store.ts';
import { createSqliteTimers } from '../../../adapters/embedded/embedded-stores.ts';
import { systemClock } from '../../../core/clock.ts';
import { requestRow, T0, taskRow } from '../../../testing/request-rows.ts';

function openTestDatabase() {
  const db = openDatabase(':memory:');
  onTestFinished(() => db.close());
  return db;
}

it('the outbox delivers each written change of a request and each task, again until acknowledged', async () => {
  const db = openTestDatabase();
  const store = createSqliteRequestStore(db, systemClock);
  const outbox = createOutbox(db);
  await store.create(requestRow('r1'));
  await store.create(requestRow('r1'));
  await store.transition('r1', 'CREATED', 'SIZING', T0);
  await store.transition('r1', 'CREATED', 'SIZING', T0);
  await store.putTask(taskRow('r1', 'SIN2-P1', 1, { warmed: 1 }));
  await store.putTask(taskRow('r1', 'SIN2-P1', 1, { warmed: 1 }));
  await store.end('r1', 'FAILED', { ifAccounted: 0, stopped: 0, statusReason: 'why', at: T0 });
  await store.end('r1', 'FAILED', { ifAccounted: 0, stopped: 0, statusReason: 'why', at: T0 });

  const requests = outbox.take('request', 10);
  expect(requests.map((record) => record.requestId)).toEqual(['r1', 'r1', 'r1']);
  expect(requests.map((record) => record.sequence)).toEqual(requests.map((record) => record.sequence).toSorted((a, b) => a - b));
  expect(outbox.take('task', 10)).toEqual([{ sequence: expect.any(Number), requestId: 'r1', taskId: 'SIN2-P1#0#1' }]);
  expect(outbox.take('request', 2)).toEqual(requests.slice(0, 2));
  outbox.acknowledge(requests.slice(0, 2).map((record) => record.sequence));
  expect(outbox.take('request', 10)).toEqual(requests.slice(2));
});

it('the outbox never gives a sequence twice, so that a late acknowledgement hits nothing newer', async () => {
  const db = openTestDatabase();
  const store = createSqliteRequestStore(db, systemClock);
  const outbox = createOutbox(db);
  await store.create(requestRow('r1'));
  const first = outbox.take('request', 1).map((record) => record.sequence);
  outbox.acknowledge(first);
  await store.create(requestRow('r2'));
  outbox.acknowledge(first);
  expect(outbox.take('request', 1).map((record) => record.requestId)).toEqual(['r2']);
});

it('the outbox keeps a timer that was set anew between being due and acknowledged', async () => {
  const timers = createSqliteTimers(openTestDatabase());
  await timers.set('r1', T0);
  await timers.set('r2', T0);
  const due = timers.takeDue(T0, 10);
  await timers.set('r1', T0 + 1);
  timers.acknowledge(due);
  expect(timers.takeDue(T0 + 1, 10)).toEqual([{ requestId: 'r1', at: T0 + 1 }]);
});
