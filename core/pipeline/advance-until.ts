import type { RequestStore } from '../ports/request-store.ts';
import type { RequestRow, RequestStatus } from '../request/request.ts';
import type { Pipeline } from './create-pipeline.ts';
import { type Next, NOW } from './pipeline-context.ts';

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
  work: { readonly store: Pick<RequestStore, 'get'>; readonly pipeline: Pick<Pipeline, 'advance'> },
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
