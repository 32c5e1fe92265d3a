import { describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { createSqliteQueue } from '../../../adapters/embedded/sqlite-queue.ts';
import { PrewarmError } from '../../../core/errors.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import { createLeaseKeeper } from '../../../core/work/lease-keeper.ts';
import { createManualClock } from './manual-clock.ts';

const LEASE_MS = 90_000;
const TASK: TaskMessage = {
  requestId: 'r',
  taskId: 'SIN2-P1#0#1',
  pop: 'SIN2-P1',
  addresses: [],
  wave: 0 as const,
  slice: { list: 'sized', number: 1, part: 0, start: 0, end: 10, rows: 1 },
};

/** One task that has just been received from a real queue, and its keeper. `during` runs before each renewal reaches the queue. */
async function receiveTask(during: () => Promise<void> | void = () => {}) {
  const manual = createManualClock();
  const shift = { ms: 0 };
  const clock = { ...manual, now: () => manual.now() + shift.ms };
  const db = openDatabase(':memory:');
  onTestFinished(() => db.close());
  const queue = createSqliteQueue<TaskMessage>(db, 'tasks', clock, { holder: 'one', leaseMs: LEASE_MS });
  await queue.send([TASK]);
  const [lease] = await queue.receive(1, 0);
  if (lease === undefined) throw new Error('the queue gave nothing');
  const renewals: string[] = [];
  const refusals: unknown[] = [];
  const tasks = {
    async extend(receipt: string, leaseMs: number) {
      renewals.push(receipt);
      await during();
      return queue.extend(receipt, leaseMs);
    },
  };
  const keeper = createLeaseKeeper(clock, tasks, lease.receipt, LEASE_MS, (error) => refusals.push(error));
  return { clock: manual, shift, queue, lease, renewals, refusals, keeper };
}

describe('the keeper of a lease', () => {
  it('the lease keeper asks the queue for nothing while less than a third of the lease is over', async () => {
    const { clock, keeper, renewals } = await receiveTask();
    await clock.pass(29_999);
    expect(await keeper.renew()).toBe(true);
    expect(renewals).toEqual([]);
  });

  it('the lease keeper holds the task for a whole lease again each time that a third is over', async () => {
    const { clock, keeper, queue, lease, renewals } = await receiveTask();
    for (let third = 1; third <= 9; third++) {
      await clock.pass(30_000);
      expect(await keeper.renew()).toBe(true);
    }
    expect(renewals).toEqual(Array.from({ length: 9 }, () => lease.receipt));
    await clock.pass(89_999);
    expect(await queue.receive(1, 0)).toEqual([]);
    await clock.pass(1);
    expect((await queue.receive(1, 0))[0]?.message).toEqual(TASK);
  });

  it('the lease keeper reports a lost lease once another receiver holds the task, and takes nothing from that receiver', async () => {
    const { clock, keeper, queue, refusals } = await receiveTask();
    await clock.pass(LEASE_MS);
    const [other] = await queue.receive(1, 0);
    expect(other?.receiveCount).toBe(2);
    expect(await keeper.renew()).toBe(false);
    expect(await queue.extend(other?.receipt ?? '', LEASE_MS)).toBe(true);
    expect(refusals).toEqual([]);
  });

  it('the lease keeper counts the lease from when it asked for the renewal, because the queue may have begun it then', async () => {
    let slow = true;
    const scene = await receiveTask(async () => {
      if (slow) await scene.clock.pass(30_000);
      slow = false;
    });
    await scene.clock.pass(30_000);
    await scene.keeper.renew();
    await scene.keeper.renew();
    expect(scene.renewals).toHaveLength(2);
  });

  it('the lease keeper keeps the task when a renewal fails, reports the failure, and renews at the next call', async () => {
    const failures = [new Error('throttled')];
    const { clock, keeper, renewals, refusals } = await receiveTask(() => {
      const failure = failures.pop();
      if (failure !== undefined) throw failure;
    });
    await clock.pass(30_000);
    expect(await keeper.renew()).toBe(true);
    expect(refusals).toEqual([new Error('throttled')]);
    await clock.pass(1000);
    expect(await keeper.renew()).toBe(true);
    expect(renewals).toHaveLength(2);
    await clock.pass(1000);
    expect(await keeper.renew()).toBe(true);
    expect(renewals).toHaveLength(2);
  });

  it('the lease keeper reports a lost lease once renewals have failed for longer than it lasts', async () => {
    const { clock, keeper, refusals } = await receiveTask(() => {
      throw new Error('no connection');
    });
    await clock.pass(LEASE_MS);
    expect(await keeper.renew()).toBe(true);
    await clock.pass(1);
    expect(await keeper.renew()).toBe(false);
    expect(refusals).toHaveLength(2);
  });

  it('the lease keeper throws that the disk is full while the lease holds, and reports a lost lease afterwards', async () => {
    const full = new PrewarmError('storage_full', 'the disk is full');
    const { clock, keeper, refusals } = await receiveTask(() => {
      throw full;
    });
    await clock.pass(30_000);
    await expect(keeper.renew()).rejects.toBe(full);
    await clock.pass(LEASE_MS);
    expect(await keeper.renew()).toBe(false);
    expect(refusals).toEqual([full, full]);
  });

  it('the lease keeper renews although the clock was set back by an hour', async () => {
    const { keeper, shift, renewals } = await receiveTask();
    shift.ms = -3_600_000;
    expect(await keeper.renew()).toBe(true);
    expect(renewals).toHaveLength(1);
    expect(await keeper.renew()).toBe(true);
    expect(renewals).toHaveLength(1);
  });
});
