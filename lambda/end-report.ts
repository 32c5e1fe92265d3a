import { failedRowsOnly } from '../server/app/report-rows.ts';
import { count } from '../core/work/counters.ts';
import { viewEnd } from '../core/report/end-view.ts';
import { keys } from '../core/keys.ts';
import type { Pipeline } from '../core/pipeline/create-pipeline.ts';
import { type FailureSummary, summariseFailures } from '../core/report/summarise-failures.ts';
import type { ListStore } from '../core/ports/list-store.ts';
import type { RequestStore } from '../core/ports/request-store.ts';
import type { RequestRow } from '../core/request/request.ts';

export interface EndReportDeps {
  readonly store: RequestStore;
  readonly lists: ListStore;
  readonly pipeline: Pick<Pipeline, 'report'>;
}

/** Results that came after the end. None can come where every target had been counted by then. */
async function countLate(store: RequestStore, row: RequestRow): Promise<number> {
  return count(row.counters, 'reason.stopped') === 0 ? 0 : store.uncountedTasks(row.id);
}

/** How many late results the first report of the request has in it; null: none has been written. */
async function lateOfFirst(lists: ListStore, requestId: string): Promise<number | null> {
  const kept = await lists.resultMetadata(keys.endSummary(requestId));
  // Earlier versions wrote none; theirs have the plain name.
  return kept === null ? null : Number(kept['late'] ?? 0);
}

/** Key of the report that was written with the summary; null: there is none yet. */
export async function keptReport(lists: ListStore, requestId: string): Promise<string | null> {
  const late = await lateOfFirst(lists, requestId);
  return late === null ? null : keys.failureReport(requestId, late);
}

/**
 * Writes the failed rows and the summary of an ended request, each once. The failed rows are written anew when more results have come
 * after the end. Returns the key of those that are complete.
 */
export async function writeEndReport({ store, lists, pipeline }: EndReportDeps, row: RequestRow): Promise<string> {
  // Counted before the results are read: what comes meanwhile makes a report of its own.
  const late = await countLate(store, row);
  const first = await lateOfFirst(lists, row.id);
  // Rows of tasks go with age, so there may be fewer of them than there were.
  if (first !== null && late <= first) return keys.failureReport(row.id, first);
  const key = keys.failureReport(row.id, late);
  if (first !== null && (await lists.resultMetadata(keys.lateReport(row.id, late))) !== null) return key;
  await lists.put(key, failedRowsOnly(pipeline.report(row.id, 'failed')));
  if (first !== null) {
    await lists.putResult(keys.lateReport(row.id, late), '', {});
    return key;
  }
  const { pops, urls } = await summariseFailures({ store, lists }, row);
  const summary = { ...viewEnd(row), failure_pops: pops, failure_urls: urls };
  await lists.putResult(keys.endSummary(row.id), `${JSON.stringify(summary, null, 2)}\n`, { late: String(late) });
  return key;
}

/** What `writeEndReport` has kept of what failed; null: it has not yet. */
export async function readEndSummary(lists: ListStore, requestId: string): Promise<FailureSummary | null> {
  const key = keys.endSummary(requestId);
  if ((await lists.resultMetadata(key)) === null) return null;
  const chunks = await Array.fromAsync(lists.readResult(key));
  const kept = JSON.parse(Buffer.concat(chunks).toString()) as { failure_pops: readonly string[]; failure_urls: readonly string[] };
  return { pops: kept.failure_pops, urls: kept.failure_urls };
}
