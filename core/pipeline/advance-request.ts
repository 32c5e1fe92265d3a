import type { RequestRow } from '../request/request.ts';
import { endIfDone } from './end-request.ts';
import { invalidateShare } from './invalidate-request.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { planShare } from './plan-request.ts';
import { sizeShare } from './size-request.ts';

/** One share of what the request's status asks for: 0 when more is to be done at once, n in n ms, null when whoever won a race goes on. */
export async function advanceRequest(context: PipelineContext, id: string): Promise<number | null> {
  const row = await context.ports.store.get(id);
  if (row === null) return null;
  if (row.status === 'CREATED') return leaveCreated(context, row);
  if (row.status === 'INVALIDATING') return invalidateShare(context, row);
  if (row.status === 'SIZING') return sizeShare(context, row);
  if (row.status === 'QUEUEING') return planShare(context, row);
  if (row.status === 'IN_PROGRESS') await endIfDone(context, row);
  return null;
}

async function leaveCreated({ ports }: PipelineContext, row: RequestRow): Promise<number | null> {
  const to = row.spec.invalidate ? 'INVALIDATING' : 'SIZING';
  return (await ports.store.transition(row.id, 'CREATED', to, ports.clock.now())) ? 0 : null;
}
