import type { RequestRow } from '../request/request.ts';
import { endIfDone } from './end-request.ts';
import type { PipelineContext } from './pipeline-context.ts';

/** A DynamoDB transaction has 100 items: the tasks, the request's row, and a row for each of their POPs. */
const MAX_TASKS_COUNTED = 80;
const MAX_TASKS_AND_POPS = 99;

/** What a change of the task table tells. */
export interface RecordedTask {
  readonly requestId: string;
  readonly taskId: string;
}

/** Counts each task once, however often it is told, and ends what is done. A record told again ends what a crash left unended. */
export async function aggregateTasks(context: PipelineContext, records: readonly RecordedTask[]): Promise<void> {
  const { store, clock } = context.ports;
  const byRequest = new Map<string, Set<string>>();
  for (const { requestId, taskId } of records) byRequest.set(requestId, (byRequest.get(requestId) ?? new Set()).add(taskId));
  for (const [requestId, taskIds] of byRequest) {
    let row: RequestRow | null = null;
    for (const ids of inTransactions(taskIds)) row = await store.countTasks(requestId, ids, clock.now());
    if (row !== null) await endIfDone(context, row);
  }
}

/** Sorted, since ids begin with their POP, so that a transaction touches few POP rows. */
function* inTransactions(taskIds: Iterable<string>): Generator<string[]> {
  let ids: string[] = [];
  let pops = new Set<string>();
  for (const id of [...taskIds].sort()) {
    const pop = id.slice(0, id.indexOf('#'));
    const items = ids.length + pops.size + (pops.has(pop) ? 1 : 2);
    if (ids.length === MAX_TASKS_COUNTED || items > MAX_TASKS_AND_POPS) {
      yield ids;
      ids = [];
      pops = new Set();
    }
    ids.push(id);
    pops.add(pop);
  }
  if (ids.length > 0) yield ids;
}
