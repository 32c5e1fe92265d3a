import type { RequestRow } from '../request/request.ts';
import type { SizingPort } from './ask-share.ts';
import { endIfDone } from './end-request.ts';
import { type InvalidatingPort, invalidateShare } from './invalidate-request.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { type PlanningPort, planShare } from './plan-request.ts';
import { sizeShare } from './size-request.ts';

type PreparingPort = InvalidatingPort | SizingPort;

/** Brings a request from CREATED to QUEUEING. Does nothing in any other status. Answers as `advanceRequest` does. */
export async function advanceToQueueing(context: PipelineContext<PreparingPort>, id: string): Promise<number | null> {
  const row = await context.ports.store.get(id);
  return row === null ? null : prepare(context, row);
}

/** Brings a request from QUEUEING to IN_PROGRESS, and to its end if it has nothing to download. Answers as `advanceRequest` does. */
export async function advanceFromQueueing(context: PipelineContext<PlanningPort>, id: string): Promise<number | null> {
  const row = await context.ports.store.get(id);
  return row === null ? null : enqueue(context, row);
}

/** One share of what the request's status asks for: 0 when more is to be done at once, n in n ms, null when whoever won a race goes on. */
export async function advanceRequest(context: PipelineContext, id: string): Promise<number | null> {
  const row = await context.ports.store.get(id);
  if (row === null) return null;
  return row.status === 'QUEUEING' || row.status === 'IN_PROGRESS' ? enqueue(context, row) : prepare(context, row);
}

async function prepare(context: PipelineContext<PreparingPort>, row: RequestRow): Promise<number | null> {
  if (row.status === 'CREATED') return leaveCreated(context, row);
  if (row.status === 'INVALIDATING') return invalidateShare(context, row);
  return row.status === 'SIZING' ? sizeShare(context, row) : null;
}

async function enqueue(context: PipelineContext<PlanningPort>, row: RequestRow): Promise<number | null> {
  if (row.status === 'QUEUEING') return planShare(context, row);
  if (row.status === 'IN_PROGRESS') await endIfDone(context, row);
  return null;
}

async function leaveCreated({ ports }: PipelineContext<'store' | 'clock'>, row: RequestRow): Promise<number | null> {
  const to = row.spec.invalidate ? 'INVALIDATING' : 'SIZING';
  return (await ports.store.transition(row.id, 'CREATED', to, ports.clock.now())) ? 0 : null;
}
