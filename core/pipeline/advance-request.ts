import type { RequestRow } from '../request/request.ts';
import type { SizingPort } from './ask-share.ts';
import { endIfDone } from './end-request.ts';
import { type InvalidatingPort, invalidateShare } from './invalidate-request.ts';
import { type Next, nextAfter, NOTHING, type PipelineContext } from './pipeline-context.ts';
import { type PlanningPort, planShare } from './plan-request.ts';
import { sizeShare } from './size-request.ts';

type PreparingPort = InvalidatingPort | SizingPort;

/** Brings a request from CREATED to QUEUEING. Does nothing in any other status. Answers as `advanceRequest` does. */
export async function advanceToQueueing(context: PipelineContext<PreparingPort>, id: string): Promise<Next> {
  const row = await context.ports.store.get(id);
  return row === null ? NOTHING : prepare(context, row);
}

/** Brings a request from QUEUEING to IN_PROGRESS, and to its end if it has nothing to download. Answers as `advanceRequest` does. */
export async function advanceFromQueueing(context: PipelineContext<PlanningPort>, id: string): Promise<Next> {
  const row = await context.ports.store.get(id);
  return row === null ? NOTHING : enqueue(context, row);
}

/** Does one share of what the request's status asks for. */
export async function advanceRequest(context: PipelineContext, id: string): Promise<Next> {
  const row = await context.ports.store.get(id);
  if (row === null) return NOTHING;
  return row.status === 'QUEUEING' || row.status === 'IN_PROGRESS' ? enqueue(context, row) : prepare(context, row);
}

async function prepare(context: PipelineContext<PreparingPort>, row: RequestRow): Promise<Next> {
  if (row.status === 'CREATED') return leaveCreated(context, row);
  if (row.status === 'INVALIDATING') return invalidateShare(context, row);
  return row.status === 'SIZING' ? sizeShare(context, row) : NOTHING;
}

async function enqueue(context: PipelineContext<PlanningPort>, row: RequestRow): Promise<Next> {
  if (row.status === 'QUEUEING') return planShare(context, row);
  if (row.status === 'IN_PROGRESS') await endIfDone(context, row);
  return NOTHING;
}

async function leaveCreated({ ports }: PipelineContext<'store' | 'clock'>, row: RequestRow): Promise<Next> {
  const to = row.spec.invalidate ? 'INVALIDATING' : 'SIZING';
  return nextAfter(await ports.store.transition(row.id, 'CREATED', to, ports.clock.now()));
}
