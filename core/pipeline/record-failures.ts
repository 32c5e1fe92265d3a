import type { Counters } from '../work/counters.ts';
import type { Reason } from '../work/outcome.ts';
import type { PipelinePorts } from '../ports/ports.ts';
import { recordTask } from '../work/record-task.ts';
import { isActive, type Variant } from '../request/request.ts';
import { causeNote, formatResultRow, type ResultRow } from '../report/result-row.ts';
import { parseValueLine } from '../work/sized-list.ts';
import { type Slice, type TaskMessage, taskIdOf } from '../work/task.ts';
import { readSliceLines } from './list-parts.ts';

/** A URL whose targets fail without having been asked for. */
export interface FailedUrl {
  readonly url: string;
  readonly reason: Reason;
  /** What stood behind it; absent: nothing is known. */
  readonly cause?: string;
}

/** The URLs of a slice: those of a `failed` list with the reason sizing gave, those of a sized one with `reason`. */
export async function readFailures(
  lists: PipelinePorts['lists'],
  requestId: string,
  slice: Slice,
  reason: Reason,
): Promise<readonly FailedUrl[]> {
  const lines = await readSliceLines(lists, requestId, slice);
  return lines.map((line) => {
    const { url, value } = parseValueLine(line);
    return { url, reason: slice.list === 'failed' ? (value as Reason) : reason };
  });
}

/** Row of a target that no agent asked for. */
export function failedRow(
  { cause = '', ...target }: FailedUrl & { readonly pop: string; readonly variant: string },
  at: number,
): ResultRow {
  return {
    ...target,
    outcome: 'failed',
    status: 0,
    xCacheFirst: '',
    xCacheLast: '',
    servedBy: '',
    address: '',
    bytes: -1,
    attempts: 0,
    ttfbMs: -1,
    totalMs: -1,
    finishedAt: at,
    notes: causeNote(cause),
  };
}

/** Records the task of one slice at one POP as failed, in the same way as an agent records what it did. */
export async function recordFailures(
  ports: Pick<PipelinePorts, 'lists' | 'store' | 'clock'>,
  task: { readonly requestId: string; readonly pop: string; readonly slice: Slice },
  failures: readonly FailedUrl[],
  variants: readonly Variant[],
): Promise<void> {
  const { requestId, pop, slice } = task;
  const at = ports.clock.now();
  const counters: Record<string, number> = { failed: failures.length * variants.length };
  let rows = '';
  for (const failure of failures) {
    const key = `reason.${failure.reason}`;
    counters[key] = (counters[key] ?? 0) + variants.length;
    for (const { name } of variants) rows += formatResultRow(failedRow({ ...failure, pop, variant: name }, at));
  }
  await recordTask(ports, { requestId, taskId: taskIdOf(pop, 0, slice), pop }, rows, counters as Counters);
}

/** Records what a task's agents died of too often, unless it was recorded or its request ended meanwhile. */
export async function recordDead(ports: Pick<PipelinePorts, 'lists' | 'store' | 'clock'>, message: TaskMessage): Promise<void> {
  const { requestId, taskId, slice } = message;
  const row = await ports.store.get(requestId);
  if (row === null || !isActive(row.status) || (await ports.store.hasTask(requestId, taskId))) return;
  await recordFailures(ports, message, await readFailures(ports.lists, requestId, slice, 'exhausted'), row.spec.variants);
}
