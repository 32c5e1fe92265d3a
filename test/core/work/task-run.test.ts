import { describe, expect, it, test } from 'vitest';
import type { EdgeAddress } from '../../../core/pops/address.ts';
import { systemClock } from '../../../core/clock.ts';
import type { Answer, Ask } from '../../../core/ports/downloader.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import { createLanes } from '../../../core/work/lanes.ts';
import { SeparateCaches } from '../../../core/work/separate-caches.ts';
import { createTaskRun, type TaskResult } from '../../../core/work/task-run.ts';
import { makeSpec } from '../../../testing/pipeline-fixture.ts';
import { createManualClock } from './manual-clock.ts';
import { createModelPop, modelAddresses } from '../../../testing/model-pop.ts';

const POP = 'SIN2-P1';
const rows = (name: string) => Array.from({ length: 5 }, (_, n) => ({ url: `https://www.example.com/${name}/${n}`, bytes: 1000 }));

function taskAt(addresses: readonly EdgeAddress[], number: number): TaskMessage {
  const slice = { list: 'sized', number, part: 0, start: 0, end: 100, rows: 5 } as const;
  return { requestId: 'r', taskId: `${POP}#0#${number}`, pop: POP, addresses, wave: 0, slice };
}

test('two tasks of one POP end although one was given a single address and the other found separate caches', async () => {
  const addresses = modelAddresses(2);
  // Turns of the event loop, so that a task that never ends does not keep the test from failing.
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const pop = createModelPop({ pop: POP, addresses, separate: true, object: () => ({ bytes: 1000 }), settle });
  const ports = { downloader: pop, clock: systemClock, random: () => 0.5, lanes: createLanes(systemClock, 4), sameCity: () => false };
  const separate = new SeparateCaches();
  const run = (some: readonly EdgeAddress[], number: number): Promise<TaskResult | null> =>
    createTaskRun(ports, taskAt(some, number), makeSpec([POP]), rows(`task${number}`), separate).run();

  const [both, single] = await Promise.all([run(addresses, 1), run(addresses.slice(0, 1), 2)]);

  expect(separate.isFound).toBe(true);
  expect(both?.counters).toMatchObject({ warmed: 5, verified: 5, attempts: 20, separate: 1 });
  expect(single?.counters).toMatchObject({ warmed: 5, verified: 5, attempts: 10, edge_bytes: 10_000 });
});

test('a task tells the bytes of its objects, each counted once however often it was read', async () => {
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const pop = createModelPop({ pop: POP, addresses: modelAddresses(2), separate: true, object: () => ({ bytes: 1000 }), settle });
  const ports = { downloader: pop, clock: systemClock, random: () => 0.5, lanes: createLanes(systemClock, 4), sameCity: () => false };
  const task = createTaskRun(ports, taskAt(modelAddresses(2), 1), makeSpec([POP]), rows('a'), new SeparateCaches());
  await task.run();
  expect(task.objectBytes).toBe(5000);
  expect(task.scope.bytes).toBeGreaterThan(10_000);
});

/** One task at one address, on a clock that stands still until it is moved. */
function openTask(fault: (ask: Ask, index: number) => Partial<Answer> | null, addresses = 1) {
  const clock = createManualClock();
  const askedAt: number[] = [];
  const started = clock.now();
  const places = modelAddresses(addresses);
  const pop = createModelPop({
    pop: POP,
    addresses: places,
    separate: false,
    object: () => ({ bytes: 1000 }),
    fault: (ask, index) => {
      askedAt.push(clock.now() - started);
      return fault(ask, index);
    },
  });
  const lanes = createLanes(clock, null);
  const separate = new SeparateCaches();
  while (separate.takeProbe());
  const ports = { downloader: pop, clock, random: () => 0.5, lanes, sameCity: () => false };
  const task = createTaskRun(ports, taskAt(places, 1), makeSpec([POP]), rows('a'), separate);
  return { clock, lanes, task, askedAt };
}

const busy = (retryAfterMs: number): Partial<Answer> => ({ status: 429, xCache: 'Error from cloudfront', bodyBytes: 0, retryAfterMs });

describe('a POP that refuses for the moment', () => {
  it('is asked again when it said that it may be', async () => {
    const { clock, task, askedAt } = openTask((_ask, index) => (index < 5 ? busy(4000) : null));
    const result = task.run();
    await clock.pass(3999);
    expect(askedAt).toEqual([0, 0, 0, 0, 0]);
    await clock.pass(1);
    expect((await result)?.counters).toMatchObject({ warmed: 5, verified: 5 });
    expect(askedAt).toHaveLength(10);
    expect(new Set(askedAt.slice(5))).toEqual(new Set([4000]));
  });

  it('is asked again after pauses that grow from half a second when it does not say', async () => {
    const { clock, task, askedAt } = openTask(() => busy(0));
    const result = task.run();
    await clock.pass(60_000);
    expect((await result)?.counters).toMatchObject({ failed: 5, 'reason.status_429': 5 });
    expect([...new Set(askedAt)]).toEqual([0, 500, 1500]);
  });

  it('is given up after as many attempts as it has addresses, eight at most, however long it refuses', async () => {
    const { clock, task, askedAt } = openTask(() => busy(3_600_000), 12);
    const result = task.run();
    await clock.pass(3_600_000);
    expect((await result)?.counters).toMatchObject({ failed: 5 });
    expect(askedAt).toHaveLength(5 * 8);
    // Each round begins a minute after the one before, fewer targets at a time while the limit shrinks.
    expect(Math.max(...askedAt)).toBeLessThanOrEqual(5 * 8 * 60_000);
    expect(askedAt.filter((at) => at > 0 && at < 60_000)).toEqual([]);
  });

  it('is waited for at a check, too', async () => {
    const { clock, task, askedAt } = openTask((_ask, index) => (index === 5 ? { ...busy(2000), status: 503 } : null));
    const result = task.run();
    await clock.pass(2000);
    expect((await result)?.counters).toMatchObject({ warmed: 5, verified: 5 });
    expect(askedAt.at(-1)).toBe(2000);
  });

  it.each([
    ['for a wait that it asked for', 50_000],
    ['for a pause of its own', 0],
  ])('holds nobody who is cancelled while waiting %s', async (_name, retryAfterMs) => {
    const { clock, lanes, task } = openTask(() => busy(retryAfterMs));
    const result = task.run();
    await clock.pass(1);
    expect(lanes.inFlight()).toBe(0);
    task.scope.cancel();
    expect(await result).toBeNull();
    expect(lanes.inFlight()).toBe(0);
    lanes.close();
    expect(clock.waiting()).toBe(0);
  });
});
