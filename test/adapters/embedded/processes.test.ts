import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { type EmbeddedStores, openEmbeddedStores } from '../../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../../adapters/embedded/holder.ts';
import { systemClock } from '../../../core/clock.ts';
import { keys } from '../../../core/keys.ts';
import { countersFromMetadata } from '../../../core/work/record-task.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import { countRecorded, planOf, popRow, requestRow, T0 } from '../../../testing/request-rows.ts';
import { startScript } from './child-script.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';

const POPS = ['SIN2-P1', 'FRA56-P4'];
const ROWS = 3;

function taskMessages(count: number): TaskMessage[] {
  return Array.from({ length: count }, (_, index) => {
    const pop = POPS[index % POPS.length] ?? '';
    const number = Math.floor(index / POPS.length);
    const slice = { list: 'sized' as const, number, part: 0, start: number * 100, end: number * 100 + 100, rows: ROWS };
    return { requestId: 'r1', taskId: `${pop}#0#${number}`, pop, addresses: [], wave: 0, slice };
  });
}

/** A request in progress with its tasks on the queue. */
async function prepare(dir: string, tasks: number): Promise<EmbeddedStores> {
  const stores = openEmbeddedStores(dir, systemClock, { holder: createHolder() });
  onTestFinished(() => stores.close());
  await stores.store.create(requestRow('r1', { status: 'QUEUEING' }));
  await stores.store.fixPlan(
    'r1',
    planOf(POPS),
    POPS.map((pop) => popRow('r1', pop)),
    T0,
  );
  await stores.store.transition('r1', 'QUEUEING', 'IN_PROGRESS', T0);
  await stores.tasks.send(taskMessages(tasks));
  return stores;
}

/** Counts whatever the workers left in the outbox, then tells the figures. */
async function settle({ store, outbox, tasks }: EmbeddedStores) {
  for (let told = outbox.take('task', 80); told.length > 0; told = outbox.take('task', 80)) {
    await store.countTasks(
      'r1',
      told.flatMap((record) => record.taskId ?? []),
      T0,
    );
    outbox.acknowledge(told.map((record) => record.sequence));
  }
  const pops = await store.listPops('r1');
  return {
    counters: (await store.get('r1'))?.counters,
    perPop: pops.map((pop) => pop.counters),
    recorded: await countRecorded(store, 'r1'),
    queue: await tasks.counts(),
    dead: await tasks.receiveDead(10),
  };
}

function figuresOf(tasks: number) {
  const counters = (share: number) => ({ warmed: share * ROWS, edge_bytes: share * 1000, 'first.80': share * ROWS });
  return {
    counters: counters(tasks),
    perPop: POPS.map(() => counters(tasks / POPS.length)),
    recorded: tasks,
    queue: { available: 0, leased: 0 },
    dead: [],
  };
}

it('each of many tasks goes to exactly one of four processes, which count each exactly once', async () => {
  const dir = temporaryDir();
  const stores = await prepare(dir, 1000);
  const workers = Array.from({ length: 4 }, () => startScript('worker', [dir]));
  const received = await Promise.all(
    workers.map(async (worker) => {
      await worker.nextLine();
      return Number(await worker.nextLine());
    }),
  );
  expect(received.reduce((sum, each) => sum + each, 0)).toBe(1000);
  expect(await settle(stores)).toEqual(figuresOf(1000));
});

it('figures are exact and files whole after processes were killed at their work', async () => {
  const dir = temporaryDir();
  const stores = await prepare(dir, 800);
  for (let kill = 0; kill < 3; kill++) {
    const worker = startScript('worker', [dir]);
    await worker.nextLine();
    await sleep(20 + kill * 17);
    worker.child.kill('SIGKILL');
    expect(await worker.ended).toBe('SIGKILL');
    expect(await stores.tasks.freeLeasesOf(worker.child.pid ?? -1)).toBeLessThanOrEqual(5);
  }
  expect((await stores.tasks.counts()).available).toBeGreaterThan(0);
  const last = startScript('worker', [dir]);
  expect(await last.ended).toBe(0);
  expect(await settle(stores)).toEqual(figuresOf(800));

  for (const { requestId, taskId } of taskMessages(800)) {
    const metadata = await stores.lists.resultMetadata(keys.result(requestId, taskId));
    expect(countersFromMetadata(metadata ?? {})).toMatchObject({ warmed: ROWS });
  }
  expect(readdirSync(join(dir, 'tmp'))).toEqual([]);
  const db = openDatabase(join(dir, 'prewarm.db'));
  expect(db.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' });
  db.close();
});
