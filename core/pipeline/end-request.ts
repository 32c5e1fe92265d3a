import { accounted } from '../work/counters.ts';
import { type EndStatus, isActive, isEnded, type RequestRow } from '../request/request.ts';
import type { EndingPort, PipelineContext } from './pipeline-context.ts';
import { reconcileFleet } from './reconcile-fleet.ts';
import { describeFleet, wasEverTaken } from '../report/nobody-came.ts';

/**
 * Ends an active request by one conditional transition, then does the side effects. A request that has ended gets just
 * those again, so a retry after a crash between the two completes it. FINISHED ends nothing while targets are left.
 */
export async function endRequest(
  context: PipelineContext<EndingPort>,
  id: string,
  status: EndStatus,
  statusReason: string | null,
): Promise<RequestRow | null> {
  const { store, clock } = context.ports;
  for (;;) {
    const row = await store.get(id);
    if (row === null) return null;
    if (isEnded(row.status)) {
      await afterEnd(context, row);
      return row;
    }
    if (!isActive(row.status) || (status === 'FINISHED' && !isDone(row))) return row;
    const ifAccounted = accounted(row.counters);
    const stopped = row.totalCount - ifAccounted;
    // Each lost race means that somebody else counted, planned or ended, so this loop ends.
    // What a request has said of itself, such as paths that were refused, still holds when it is done.
    const reason = status === 'FINISHED' ? (statusReason ?? row.statusReason) : statusReason;
    await store.end(id, status, { ifAccounted, ifTotal: row.totalCount, stopped, statusReason: reason, at: clock.now() });
  }
}

/** Ends the request as FINISHED if every target is accounted for; side effects again if it had FINISHED. */
export async function endIfDone(context: PipelineContext<EndingPort>, row: RequestRow): Promise<void> {
  if (row.status === 'FINISHED') await afterEnd(context, row);
  else if (isDone(row)) await endRequest(context, row.id, 'FINISHED', null);
}

function isDone(row: RequestRow): boolean {
  return isActive(row.status) && row.plan !== null && accounted(row.counters) === row.totalCount;
}

async function afterEnd({ ports, running }: PipelineContext<EndingPort>, row: RequestRow): Promise<void> {
  for (const stop of running.get(row.id) ?? []) stop();
  await ports.timers.cancel(row.id);
  await reconcileFleet(ports);
  await ports.events.requestEnded(row);
}

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

/** Ends the request as TIMEOUT if its time is up; a timer that is early (a resumed run, a clock that jumped) is set again. */
export async function fireTimer(context: PipelineContext<EndingPort | 'tasks'>, id: string): Promise<void> {
  const { store, timers, clock } = context.ports;
  const row = await store.get(id);
  if (row === null) return;
  if (isEnded(row.status)) await endRequest(context, id, row.status, row.statusReason);
  else if (row.timeoutAt === null) await timers.cancel(id);
  else if (row.timeoutAt > clock.now()) await timers.set(id, row.timeoutAt);
  else await endRequest(context, id, 'TIMEOUT', await reasonOf(context, row));
}

async function reasonOf({ ports }: PipelineContext<EndingPort | 'tasks'>, row: RequestRow): Promise<string> {
  const reason = `not done within ${row.spec.timeoutMinutes} minutes`;
  if (row.status === 'INVALIDATING')
    return row.statusReason === null ? `${reason}; the invalidation had not ended` : `${reason}; ${row.statusReason}`;
  const [provisional, queue] = await Promise.all([ports.store.listProvisional(row.id), ports.tasks.counts()]);
  if (wasEverTaken(row, { provisional, queue })) return reason;
  const why = await findOutWhy(ports, row);
  return `${reason}; no agent ever reported having taken a task of it${why === null ? '' : `; ${why}`}`;
}

async function findOutWhy({ fleet }: Pick<PipelineContext['ports'], 'fleet'>, row: RequestRow): Promise<string | null> {
  if (fleet.describe === undefined) return null;
  try {
    return describeFleet(await fleet.describe(), row.createdAt);
  } catch {
    // The request has to end, whether or not the group answers why nobody came.
    return null;
  }
}
