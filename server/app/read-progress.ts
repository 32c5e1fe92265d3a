import { describeFleet, describeWait } from '../../core/report/nobody-came.ts';
import type { Fleet, FleetState } from '../../core/ports/fleet.ts';
import type { QueueCounts } from '../../core/ports/queue.ts';
import { type PopProgress, type Progress, viewPops, viewProgress } from '../../core/report/progress.ts';
import { isEnded, type RequestRow } from '../../core/request/request.ts';
import type { ApiDeps } from './api-deps.ts';
import { remember } from './remember.ts';

/** Counting a long queue takes milliseconds, and clients poll. */
const QUEUE_COUNTS_LAST_MS = 500;
/** Auto Scaling takes few calls a second of an account. */
const FLEET_STATE_LASTS_MS = 60_000;
const NOTHING_QUEUED: QueueCounts = { available: 0, leased: 0 };

type ReadingDeps = Pick<ApiDeps, 'store' | 'tasks' | 'clock' | 'log' | 'nobodyAfterMs'> & { readonly fleet: Pick<Fleet, 'describe'> };

export type ReadProgress = (row: RequestRow, withPops: boolean) => Promise<Progress & { pops?: readonly PopProgress[] }>;

/** Progress as `GET /prewarm` shows it, computed from rows at each call. */
export function createReadProgress(deps: ReadingDeps): ReadProgress {
  const { store, tasks, clock, nobodyAfterMs } = deps;
  const countQueue = remember(clock, QUEUE_COUNTS_LAST_MS, () => tasks.counts());
  const readFleet = remember(clock, FLEET_STATE_LASTS_MS, () => readFleetState(deps));

  /** What keeps a running request from being done that its own figures do not tell; null: nothing is known to. */
  async function explain(row: RequestRow, wait: string | null): Promise<string | null> {
    // A younger request has no agents yet because they are on their way.
    const isYoung = clock.now() - row.createdAt < nobodyAfterMs;
    const state = isYoung ? null : await readFleet();
    const why = state === null ? null : describeFleet(state, row.createdAt);
    if (wait !== null) return why === null ? wait : `${wait}; ${why}`;
    return state !== null && state.onDemand > 0 ? why : null;
  }

  return async (row, withPops) => {
    const ended = isEnded(row.status);
    const [provisional, queue] = ended ? [[], NOTHING_QUEUED] : await Promise.all([store.listProvisional(row.id), countQueue()]);
    const now = clock.now();
    let progress = viewProgress(row, provisional, queue, now);
    if (!ended && progress.status_reason === null) {
      const wait = describeWait(row, { provisional, queue }, nobodyAfterMs, now);
      progress = { ...progress, status_reason: await explain(row, wait) };
    }
    return withPops ? { ...progress, pops: viewPops(row, await store.listPops(row.id)) } : progress;
  };
}

/** Null: the fleet cannot tell, or cannot be asked now. The progress is shown without it. */
async function readFleetState({ fleet, log }: ReadingDeps): Promise<FleetState | null> {
  if (fleet.describe === undefined) return null;
  try {
    return await fleet.describe();
  } catch (error) {
    log.error({ err: error }, 'what keeps instances from coming could not be read');
    return null;
  }
}
