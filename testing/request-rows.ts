import type { Counters } from '../core/work/counters.ts';
import type { Plan, PopRow, RequestRow } from '../core/request/request.ts';
import type { RequestStore } from '../core/ports/request-store.ts';
import type { TaskRow } from '../core/work/task.ts';

export const T0 = 1_800_000_000_000;

export function counters(figures: Readonly<Record<string, number>>): Counters {
  return figures;
}

export function requestRow(id: string, change: Partial<RequestRow> = {}): RequestRow {
  return {
    id,
    spec: {
      domain: 'd111111abcdef8.cloudfront.net',
      pops: [
        { pop: 'SIN2-P1', named: true },
        { pop: 'FRA56-P4', named: false },
      ],
      variants: [{ name: 'default', headers: [['Accept-Language', 'de, "en"']] }],
      acceptStatus: [200, 301],
      timeoutMinutes: 30,
      agents: 2,
      invalidate: false,
    },
    madeBy: 'ci',
    status: 'CREATED',
    statusReason: null,
    urlCount: 3,
    totalCount: 6,
    totalBytes: 0,
    counters: counters({}),
    sizing: { parts: 0, offset: 0, rows: 0, failedRows: 0, bytes: 0, done: false },
    plan: null,
    invalidations: [],
    createdAt: T0,
    updatedAt: T0,
    queuedAt: null,
    endedAt: null,
    timeoutAt: T0 + 1_800_000,
    ...change,
  };
}

export function planOf(pops: readonly string[], change: Partial<Plan> = {}): Plan {
  // More bytes than an exact integer holds: a million URLs of 1 GB at 50 POPs.
  return { sliceRows: 500, sliceBytes: 268_435_456, pops, skipped: ['GRU3-P1'], totalCount: 8, totalBytes: 5e16, ...change };
}

export function popRow(requestId: string, pop: string, change: Partial<PopRow> = {}): PopRow {
  return { requestId, pop, state: 'resolved', addresses: ['192.0.2.1:443'], totalCount: 4, counters: counters({}), ...change };
}

export function taskRow(requestId: string, pop: string, slice: number, figures: Readonly<Record<string, number>>): TaskRow {
  return { requestId, taskId: `${pop}#0#${slice}`, pop, counters: counters(figures), recordedAt: T0 + slice };
}

/** How many tasks of the request are recorded, counted or not. */
export async function countRecorded(store: RequestStore, id: string): Promise<number> {
  const pops = await store.listPops(id);
  const counted = await Promise.all(pops.map(({ pop }) => store.countedTasks(id, pop)));
  return counted.reduce((sum, tasks) => sum + tasks.size, await store.uncountedTasks(id));
}
