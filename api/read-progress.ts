import type { QueueCounts } from '../core/ports/queue.ts';
import { type PopProgress, type Progress, viewPops, viewProgress } from '../core/progress.ts';
import { isEnded, type RequestRow } from '../core/request.ts';
import type { ApiDeps } from './api-deps.ts';

/** Counting a long queue takes milliseconds, and clients poll. */
const QUEUE_COUNTS_LAST_MS = 500;
const NOTHING_QUEUED: QueueCounts = { available: 0, leased: 0 };

export type ReadProgress = (row: RequestRow, withPops: boolean) => Promise<Progress & { pops?: readonly PopProgress[] }>;

/** Progress as `GET /prewarm` shows it, computed from rows at each call. */
export function createReadProgress({ store, tasks, clock }: Pick<ApiDeps, 'store' | 'tasks' | 'clock'>): ReadProgress {
  let counted: { readonly at: number; readonly counts: Promise<QueueCounts> } | null = null;

  function countQueue(): Promise<QueueCounts> {
    const now = clock.now();
    if (counted === null || Math.abs(now - counted.at) > QUEUE_COUNTS_LAST_MS) counted = { at: now, counts: tasks.counts() };
    return counted.counts;
  }

  return async (row, withPops) => {
    const ended = isEnded(row.status);
    const provisional = ended ? [] : await store.listProvisional(row.id);
    const progress = viewProgress(row, provisional, ended ? NOTHING_QUEUED : await countQueue(), clock.now());
    return withPops ? { ...progress, pops: viewPops(row, await store.listPops(row.id)) } : progress;
  };
}
