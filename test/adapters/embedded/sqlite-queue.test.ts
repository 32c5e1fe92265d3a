import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { createHolder } from '../../../adapters/embedded/holder.ts';
import { createSqliteQueue } from '../../../adapters/embedded/sqlite-queue.ts';
import { systemClock } from '../../../core/clock.ts';
import { T0 } from '../../../testing/request-rows.ts';
import { createManualClock } from '../../../testing/manual-clock.ts';

function openTestDatabase() {
  const db = openDatabase(':memory:');
  onTestFinished(() => db.close());
  return db;
}

/** A pid that named a process a moment ago and names none now. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? -1;
}

it('the queue waits on the given clock for a message, and no longer than asked', async () => {
  const clock = createManualClock(T0);
  const queue = createSqliteQueue<string>(openTestDatabase(), 'q', clock, { holder: 'one' });
  let received: readonly string[] | undefined;
  const waiting = queue.receive(1, 1000).then((leased) => {
    received = leased.map((each) => each.message);
  });
  await clock.pass(500);
  expect(received).toBeUndefined();
  await queue.send(['late']);
  await clock.pass(20);
  await waiting;
  expect(received).toEqual(['late']);
  const none = queue.receive(1, 1000);
  await clock.pass(1000);
  expect(await none).toEqual([]);
});

it('the queue ends a wait at once when its signal aborts or the queue closes', async () => {
  const clock = createManualClock(T0);
  const queue = createSqliteQueue<string>(openTestDatabase(), 'q', clock, { holder: 'one' });
  const abort = new AbortController();
  const aborted = queue.receive(1, 60_000, abort.signal);
  abort.abort();
  expect(await aborted).toEqual([]);
  const closed = queue.receive(1, 60_000);
  queue.close();
  expect(await closed).toEqual([]);
});

it('the queue frees the messages of a dead process at once and with their receive count, and no others', async () => {
  const db = openTestDatabase();
  const pid = await deadPid();
  const dead = createSqliteQueue<number>(db, 'q', systemClock, { holder: 'x' });
  const alive = createSqliteQueue<number>(db, 'q', systemClock, { holder: createHolder() });
  await dead.send([1, 2, 3, 4]);
  // Holders as other processes would have written them: a dead one, and an earlier process that had our pid.
  await dead.receive(1, 0);
  db.run('UPDATE messages SET holder = ? WHERE holder = ?', `${pid}-aa`, 'x');
  await dead.receive(1, 0);
  db.run('UPDATE messages SET holder = ? WHERE holder = ?', `${process.pid}-aa`, 'x');
  await dead.receive(1, 0);
  await alive.receive(1, 0);
  expect(await alive.freeDeadLeases()).toBe(2);
  const freed = await alive.receive(10, 0);
  expect(freed.map(({ message, receiveCount }) => [message, receiveCount])).toEqual([
    [1, 2],
    [2, 2],
  ]);
  expect(await alive.freeLeases('x')).toBe(1);
  expect((await alive.receive(10, 0)).map(({ message }) => message)).toEqual([3]);
  expect(await alive.freeLeasesOf(process.pid)).toBe(4);
});

it('the queue ignores a receipt once its lease was freed', async () => {
  const queue = createSqliteQueue<number>(openTestDatabase(), 'q', systemClock, { holder: 'x' });
  await queue.send([1]);
  const [held] = await queue.receive(1, 0);
  await queue.freeLeases('x');
  expect(await queue.extend(held?.receipt ?? '', 1000)).toBe(false);
  await queue.delete(held?.receipt ?? '');
  await queue.delete('no receipt at all');
  expect(await queue.receive(1, 0)).toHaveLength(1);
});

it('the queue passes over messages that go to the dead letters and receives the ones behind them', async () => {
  const queue = createSqliteQueue<number>(openTestDatabase(), 'q', systemClock, { holder: 'x', maxReceives: 1 });
  await queue.send([1, 2]);
  await queue.receive(2, 0);
  await queue.freeLeases('x');
  await queue.send([3]);
  expect((await queue.receive(2, 0)).map(({ message }) => message)).toEqual([3]);
  expect((await queue.receiveDead(10)).map(({ message }) => message)).toEqual([1, 2]);
});

it('the queue takes turns between keys, from where it is being served', async () => {
  const queue = createSqliteQueue<string>(openTestDatabase(), 'q', systemClock, { holder: 'x', fairKey: (message) => message.charAt(0) });
  await queue.send(['a0', 'a1', 'a2', 'a3', 'a4', 'a5']);
  await queue.receive(3, 0);
  await queue.send(['b0', 'b1']);
  await queue.send(['b2']);
  const rest = await queue.receive(10, 0);
  expect(rest.map(({ message }) => message)).toEqual(['a3', 'b0', 'a4', 'b1', 'a5', 'b2']);
});

it('the queues of one database stay apart', async () => {
  const db = openTestDatabase();
  const one = createSqliteQueue<string>(db, 'one', systemClock, { holder: 'x' });
  const two = createSqliteQueue<string>(db, 'two', systemClock, { holder: 'x' });
  await one.send(['mine']);
  expect(await two.receive(1, 0)).toEqual([]);
  await one.receive(1, 0);
  expect(await two.freeLeases('x')).toBe(0);
  expect(await two.counts()).toEqual({ available: 0, leased: 0 });
});
