import { describeFleet, wasEverTaken } from '../report/nobody-came.ts';
import { isEnded, type RequestRow } from '../request/request.ts';
import { endRequest } from './end-request.ts';
import type { EndingPort, PipelineContext } from './pipeline-context.ts';

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
