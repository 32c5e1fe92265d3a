import { isEnded } from '../request.ts';
import { endRequest } from './end-request.ts';
import type { PipelineContext } from './pipeline-context.ts';

/** Ends the request as TIMEOUT if its time is up; a timer that is early (a resumed run, a clock that jumped) is set again. */
export async function fireTimer(context: PipelineContext, id: string): Promise<void> {
  const { store, timers, clock } = context.ports;
  const row = await store.get(id);
  if (row === null) return;
  if (isEnded(row.status)) await endRequest(context, id, row.status, row.statusReason);
  else if (row.timeoutAt === null) await timers.cancel(id);
  else if (row.timeoutAt > clock.now()) await timers.set(id, row.timeoutAt);
  else await endRequest(context, id, 'TIMEOUT', `not done within ${row.spec.timeoutMinutes} minutes`);
}
