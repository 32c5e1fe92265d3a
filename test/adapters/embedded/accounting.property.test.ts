import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { createSqliteRequestStore } from '../../../adapters/embedded/sqlite-request-store.ts';
import { systemClock } from '../../../core/clock.ts';
import { accounted, addCounters, type Counters, NO_COUNTERS } from '../../../core/work/counters.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';
import type { RequestStatus } from '../../../core/request/request.ts';
import { countRecorded, planOf, popRow, requestRow, T0, taskRow } from '../../../testing/request-rows.ts';

const POPS = ['SIN2-P1', 'FRA56-P4', 'GRU1-C2'];
const ID = 'r1';

type Step =
  | { readonly do: 'put'; readonly pop: string; readonly slice: number; readonly counters: Counters }
  | { readonly do: 'count'; readonly taskIds: readonly string[] }
  | { readonly do: 'end'; readonly offBy: number; readonly stopped: number };

/** What the rows must say, kept the simplest way there is. */
interface Model {
  status: RequestStatus;
  readonly tasks: Map<string, { readonly pop: string; readonly counters: Counters; counted: boolean }>;
  stopped: number;
}

const pop = fc.constantFrom(...POPS);
const slice = fc.integer({ min: 0, max: 4 });
const figures = fc
  .record({ warmed: fc.nat(9), already_warm: fc.nat(9), failed: fc.nat(9), edge_bytes: fc.nat(), 'first.40': fc.nat(9) })
  .map((each: Record<string, number>) => each as Counters);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), pop, slice, counters: figures }) },
  {
    weight: 5,
    arbitrary: fc
      .array(fc.tuple(pop, slice), { maxLength: 8 })
      .map((pairs) => ({ do: 'count' as const, taskIds: pairs.map(([name, number]) => `${name}#0#${number}`) })),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('end' as const), offBy: fc.constantFrom(-1, 0, 0, 1), stopped: fc.nat(5) }),
  },
);

function sumOf(model: Model, pop?: string): Counters {
  const sum: Record<string, number> = {};
  for (const task of model.tasks.values()) if (task.counted && (pop === undefined || task.pop === pop)) addCounters(sum, task.counters);
  return sum as Counters;
}

/** Does the step to both; what the store answered and what the model says it had to. */
async function apply(store: RequestStore, model: Model, step: Step): Promise<{ answer: boolean; expected: boolean }> {
  if (step.do === 'put') {
    const row = taskRow(ID, step.pop, step.slice, step.counters);
    const expected = !model.tasks.has(row.taskId);
    if (expected) model.tasks.set(row.taskId, { pop: step.pop, counters: step.counters, counted: false });
    return { answer: await store.putTask(row), expected };
  }
  if (step.do === 'end') {
    const expected = model.status === 'IN_PROGRESS' && step.offBy === 0;
    const end = { ifAccounted: accounted(sumOf(model)) + step.offBy, stopped: step.stopped, statusReason: null, at: T0 };
    if (expected) Object.assign(model, { status: 'STOPPED', stopped: step.stopped });
    return { answer: await store.end(ID, 'STOPPED', end), expected };
  }
  if (model.status === 'IN_PROGRESS') {
    for (const id of step.taskIds) {
      const task = model.tasks.get(id);
      if (task !== undefined) task.counted = true;
    }
  }
  return { answer: (await store.countTasks(ID, step.taskIds, T0)) !== null, expected: true };
}

/** The figures as the rows tell them, and as the model does. */
async function figuresOf(store: RequestStore) {
  const row = await store.get(ID);
  const pops = await store.listPops(ID);
  const inRequest = row?.counters ?? NO_COUNTERS;
  const inPops = pops.reduce((sum, each) => sum + accounted(each.counters), 0);
  return {
    status: row?.status,
    request: inRequest,
    pops: pops.map((each) => each.counters),
    beyondPops: accounted(inRequest) - inPops,
    recorded: await countRecorded(store, ID),
  };
}

function figuresOfModel(model: Model) {
  const stopped: Record<string, number> = model.stopped === 0 ? {} : { failed: model.stopped, 'reason.stopped': model.stopped };
  return {
    status: model.status,
    request: addCounters(stopped, sumOf(model)),
    pops: POPS.map((name) => sumOf(model, name)),
    beyondPops: model.stopped,
    recorded: model.tasks.size,
  };
}

it('the store accounts like the model: request and POP rows agree, no task counts twice, and an ended request does not change', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const db = openDatabase(':memory:');
      try {
        const store = createSqliteRequestStore(db, systemClock);
        await store.create(requestRow(ID, { status: 'QUEUEING' }));
        await store.fixPlan(
          ID,
          planOf(POPS),
          POPS.map((name) => popRow(ID, name)),
          T0,
        );
        await store.transition(ID, 'QUEUEING', 'IN_PROGRESS', T0);
        const model: Model = { status: 'IN_PROGRESS', tasks: new Map(), stopped: 0 };
        for (const each of steps) {
          const { answer, expected } = await apply(store, model, each);
          expect(answer).toBe(expected);
          expect(await figuresOf(store)).toEqual(figuresOfModel(model));
        }
      } finally {
        db.close();
      }
    }),
    { numRuns: 200 },
  );
});
