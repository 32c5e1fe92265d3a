import type { Slice } from './work/task.ts';

const partName = (part: number) => `part-${String(part).padStart(5, '0')}.csv`;

/** Keys of a request's objects in the list store. */
export const keys = {
  urls: (requestId: string) => `requests/${requestId}/urls.csv`,
  part: (requestId: string, list: Slice['list'], part: number) => `requests/${requestId}/${list}/${partName(part)}`,
  /** What sizing decided about one share of the list: written once, so that sizing it twice cannot give two different parts. */
  sizing: (requestId: string, part: number) => `requests/${requestId}/sizing/${partName(part)}`,
  /** The distinct paths of one batch to invalidate, one a line. */
  invalidationPaths: (requestId: string, batch: number) => `requests/${requestId}/invalidation/paths/${partName(batch)}`,
  /** Written after the last batch: how many there are. */
  invalidationBatches: (requestId: string) => `requests/${requestId}/invalidation/batches.csv`,
  /** How far the batch that was refused as a whole has been searched for the paths at fault. */
  invalidationSearch: (requestId: string) => `requests/${requestId}/invalidation/search.json`,
  /** Paths that were refused: of one batch, or by this program itself. */
  refusedPart: (requestId: string, part: number) => `requests/${requestId}/invalidation/refused/${partName(part)}`,
  /** All of them. */
  refusedPaths: (requestId: string) => `requests/${requestId}/invalidation/refused.csv`,
  /** The list cut into slices under these limits, so that it can be written before the limits are fixed. */
  slices: (requestId: string, limits: { readonly sliceRows: number; readonly sliceBytes: number }) =>
    `requests/${requestId}/slices-${limits.sliceRows}-${limits.sliceBytes}.csv`,
  /** How far enqueueing came. */
  enqueued: (requestId: string) => `requests/${requestId}/enqueued.csv`,
  /**
   * Failed rows of an ended request's report, as it is once so many results have come after the end. Each is written once and stays as it
   * is. The first one is written before the summary.
   */
  failureReport: (requestId: string, late = 0) => `reports/${requestId}/failures${late === 0 ? '' : `-${late}`}.csv`,
  /** Says that the report of so many late results has been written. */
  lateReport: (requestId: string, late: number) => `reports/${requestId}/late-${late}`,
  endSummary: (requestId: string) => `reports/${requestId}/summary.json`,
  /** Which telling of a request's end it is that others hear of: the first one's name. */
  notifier: (requestId: string) => `reports/${requestId}/notifier`,
  notified: (requestId: string) => `reports/${requestId}/notified`,
  /** Headers of a request whose viewers' secrets are kept apart: by a name that tells nothing, and not below the request's own folder. */
  headers: (name: string) => `headers/${name}.json`,
  result: (requestId: string, taskId: string) => `requests/${requestId}/results/${taskId.replaceAll('#', '/')}.csv`,
};
