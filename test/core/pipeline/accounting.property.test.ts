import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { accounted } from '../../../core/work/counters.ts';
import type { RecordedTask } from '../../../core/pipeline/end-request.ts';
import { viewProgress } from '../../../core/report/progress.ts';
import { isEnded, type RequestRow } from '../../../core/request/request.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import {
  advanceAll,
  faultsOf,
  getRow,
  ID,
  makeSpec,
  makeUrls,
  openFixture,
  readReport,
  workTask,
} from '../../../testing/pipeline-fixture.ts';

const POPS = ['SIN2-P1', 'FRA56-P4', 'IAD89-P1'];
const URLS = makeUrls(9);

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('work' as const), tasks: fc.array(fc.nat(40), { minLength: 1, maxLength: 6 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('aggregate' as const), tasks: fc.array(fc.nat(40), { minLength: 1, maxLength: 9 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('dead' as const), task: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('advance' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('end' as const), status: fc.constantFrom('STOPPED', 'TIMEOUT', 'FAILED', 'FINISHED') }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Every task's message, taken from the queue for good. */
async function takeTasks({ ports }: ReturnType<typeof openFixture>): Promise<TaskMessage[]> {
  const messages: TaskMessage[] = [];
  for (;;) {
    const leased = await ports.tasks.receive(10, 0);
    if (leased.length === 0) return messages;
    messages.push(...leased.map(({ message }) => message));
  }
}

async function takeStep(fixture: ReturnType<typeof openFixture>, tasks: readonly TaskMessage[], step: Step): Promise<void> {
  const { pipeline, ports } = fixture;
  const pick = (n: number) => tasks[n % tasks.length] as TaskMessage;
  if (step.kind === 'work') await Promise.all(step.tasks.map((n) => workTask(ports, pick(n))));
  else if (step.kind === 'dead') await pipeline.recordDead(pick(step.task));
  else if (step.kind === 'advance') await pipeline.advance(ID);
  else if (step.kind === 'end') await pipeline.end(ID, step.status, null);
  else {
    const records: RecordedTask[] = step.tasks.map((n) => ({ requestId: ID, taskId: pick(n).taskId }));
    const half = Math.ceil(records.length / 2);
    await Promise.all([pipeline.aggregate(records.slice(0, half)), pipeline.aggregate(records.slice(half - 1))]);
  }
}

const percentageOf = (row: RequestRow) => viewProgress(row, [], { available: 0, leased: 0 }, 0).percentage_complete;

/** What must not happen from one look at a request to the next. */
function faultsBetween(before: RequestRow, row: RequestRow): string[] {
  const faults: string[] = [];
  const whole = accounted(row.counters) === row.totalCount;
  if (percentageOf(row) < percentageOf(before)) faults.push('the percentage fell');
  if (isEnded(before.status) && JSON.stringify(row) !== JSON.stringify(before)) faults.push('it changed after its end');
  if (isEnded(row.status) !== whole) faults.push(`${row.status} with ${accounted(row.counters)} of ${row.totalCount} accounted`);
  if (row.status === 'FINISHED' && (row.counters['reason.stopped'] ?? 0) > 0) faults.push('FINISHED with stopped targets');
  return faults;
}

test('in any order of work, duplicates, late records, dead letters and ends, every end accounts for each target once', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
    const fixture = openFixture({ pops: { 'FRA56-P4': 'pop_unresolvable' } });
    const { pipeline, ports, stores } = fixture;
    await pipeline.accept({ id: ID, spec: makeSpec(POPS), urls: URLS });
    await advanceAll(pipeline);
    const tasks = await takeTasks(fixture);
    let before = await getRow(ports);
    for (const step of [...steps, ...finishing(tasks)]) {
      await takeStep(fixture, tasks, step);
      const row = await getRow(ports);
      expect(faultsBetween(before, row)).toEqual([]);
      before = row;
    }
    await pipeline.aggregate(stores.outbox.take('task', 1000).map(({ taskId }) => ({ requestId: ID, taskId: taskId ?? '' })));
    const row = await getRow(ports);
    expect([isEnded(row.status), ...faultsOf(row, await readReport(pipeline), URLS, POPS)]).toEqual([true]);
    stores.close();
  });
  await fc.assert(property, { numRuns: 25, endOnFailure: true });
});

/** So that every run comes to an end, of whatever kind. */
const finishing = (tasks: readonly TaskMessage[]): Step[] => [{ kind: 'work', tasks: tasks.map((_, n) => n) }];
