import { count } from '../work/counters.ts';
import { inWords } from './forecast.ts';
import type { FleetState } from '../ports/fleet.ts';
import type { QueueCounts } from '../ports/queue.ts';
import { PROVISIONAL_LASTS_MS, type Provisional, SIZER_ID } from '../ports/request-store.ts';
import type { RequestRow } from '../request/request.ts';

/** How long a request's tasks may wait for the first agent before that is worth telling: instances take minutes, processes a second. */
export const NOBODY_AFTER_MS = { instances: 4 * 60_000, processes: 10_000 } as const;

/** Sizing tells in the same rows how far it is. */
const ofAgents = (provisional: readonly Provisional[]) => provisional.filter(({ agentId }) => agentId !== SIZER_ID);

/**
 * That no agent has taken a task of a running request for `afterMs`; null: one has, or nobody can tell. The queue counts tasks of all
 * requests, so that while any of them is with an agent, nobody can.
 */
export function describeWait(
  row: RequestRow,
  seen: { readonly provisional: readonly Provisional[]; readonly queue: QueueCounts },
  afterMs: number,
  now: number,
): string | null {
  if (row.status !== 'IN_PROGRESS' || row.queuedAt === null) return null;
  const waitedMs = now - Math.max(row.queuedAt, row.updatedAt);
  if (waitedMs < afterMs || seen.queue.leased > 0) return null;
  if (ofAgents(seen.provisional).some(({ updatedAt }) => now - updatedAt <= PROVISIONAL_LASTS_MS)) return null;
  return `no agent has taken a task for ${inWords(waitedMs)}`;
}

/** Whether an agent ever took a task of this request. True also where nobody can tell, because agents are at work for other requests. */
export function wasEverTaken(
  row: RequestRow,
  seen: { readonly provisional: readonly Provisional[]; readonly queue: QueueCounts },
): boolean {
  const { counters } = row;
  return (
    count(counters, 'attempts') > 0 ||
    count(counters, 'reason.exhausted') > 0 ||
    ofAgents(seen.provisional).length > 0 ||
    seen.queue.leased > 0
  );
}

/** Why agents of a request that began at `createdAt` may be missing, or are paid on demand; null: the fleet knows of nothing. */
export function describeFleet({ capacity, onDemand, fallbackMinutes, lastFailedActivity }: FleetState, createdAt: number): string | null {
  const message = lastFailedActivity === null || lastFailedActivity.at < createdAt ? null : lastFailedActivity.message;
  if (onDemand === 0) return message === null ? null : `the last failed activity of the group: ${message}`;
  const fallback = `Spot delivered ${capacity - onDemand} of ${capacity} within ${fallbackMinutes} minutes; ${onDemand} asked for on demand`;
  return message === null ? fallback : `${fallback}: ${message}`;
}
