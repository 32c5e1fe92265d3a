import { endIfDone } from './end-request.ts';
import type { EndingPort, PipelineContext } from './pipeline-context.ts';

/** What a change of the task table tells. */
export interface RecordedTask {
  readonly requestId: string;
  readonly taskId: string;
}

/** Counts each task once, however often it is told, and ends what is done. A record told again ends what a crash left unended. */
export async function aggregateTasks(context: PipelineContext<EndingPort>, records: readonly RecordedTask[]): Promise<void> {
  const { store, clock } = context.ports;
  const byRequest = new Map<string, Set<string>>();
  for (const { requestId, taskId } of records) byRequest.set(requestId, (byRequest.get(requestId) ?? new Set()).add(taskId));
  for (const [requestId, taskIds] of byRequest) {
    const row = await store.countTasks(requestId, [...taskIds], clock.now());
    if (row !== null) await endIfDone(context, row);
  }
}
