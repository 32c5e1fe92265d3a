import type { RequestRow, RequestStatus } from '../request/request.ts';
import type { SizingPort } from './ask-share.ts';
import { endIfDone } from './end-request.ts';
import { invalidateShare, type InvalidatingPort } from './invalidate-request.ts';
import { type Next, nextAfter, NOTHING, NOW, type PipelineContext } from './pipeline-context.ts';
import { type PlanningPort, planShare } from './plan-request.ts';
import { sizeShare } from './size-request.ts';
import type { RequestStore } from '../ports/request-store.ts';

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

/** What a caller gives for one request. */
export interface AdvanceBudget {
  /** Statuses in which the work is this caller's. */
  readonly statuses: readonly RequestStatus[];
  /** Whether one more share may begin, after `shares` of them and if the request asks for a pause of `inMs`. It may wait for that pause. */
  allows(shares: number, inMs: number): boolean | Promise<boolean>;
  /** Whether the work has been broken off, so that an answer of `nothing` does not mean that nothing is left. */
  isHalted(): boolean;
}

export interface Advanced {
  /** The request as it was last seen; null: it is not there. */
  readonly row: RequestRow | null;
  /** What the budget left over: the shares that were done, and the pause before the next one. Null: nothing is left for this caller. */
  readonly rest: { readonly shares: number; readonly inMs: number } | null;
}

/** Does a request's work share by share until none is left for this caller or its budget is used up. */
export async function advanceUntil(
  work: { readonly store: Pick<RequestStore, 'get'>; readonly pipeline: { advance(id: string): Promise<Next> } },
  id: string,
  budget: AdvanceBudget,
): Promise<Advanced> {
  let next: Next = NOW;
  for (let shares = 0; ; ) {
    const row = await work.store.get(id);
    if (row === null || !budget.statuses.includes(row.status)) return { row, rest: null };
    const inMs = next.next === 'later' ? next.inMs : 0;
    if (!(await budget.allows(shares, inMs))) return { row, rest: { shares, inMs } };
    next = await work.pipeline.advance(id);
    if (next.next === 'nothing' && !budget.isHalted()) return { row, rest: null };
    // Leaving CREATED is one write, and no share of work.
    if (row.status !== 'CREATED') shares += 1;
  }
}
