import { expect, test } from 'vitest';
import type { EdgeAddress } from '../../core/address.ts';
import { systemClock } from '../../core/clock.ts';
import type { TaskMessage } from '../../core/task.ts';
import { createLanes } from '../../core/work/lanes.ts';
import { SeparateCaches } from '../../core/work/separate-caches.ts';
import { createTaskRun, type TaskResult } from '../../core/work/task-run.ts';
import { makeSpec } from '../pipeline/pipeline-fixture.ts';
import { createModelPop, modelAddresses } from './model-pop.ts';

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
