import { accounted } from '../work/counters.ts';
import { type EndStatus, isActive, isEnded, type RequestRow } from '../request/request.ts';
import type { EndingPort, PipelineContext } from './pipeline-context.ts';
import { reconcileFleet } from './reconcile-fleet.ts';

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
