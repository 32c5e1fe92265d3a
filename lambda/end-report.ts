import { failedRowsOnly } from '../api/report-rows.ts';
import { viewEnd } from '../core/end-view.ts';
import { keys } from '../core/keys.ts';
import type { Pipeline } from '../core/pipeline/create-pipeline.ts';
import { type FailureSummary, summariseFailures } from '../core/pipeline/summarise-failures.ts';
import type { ListStore } from '../core/ports/list-store.ts';
import type { RequestStore } from '../core/ports/request-store.ts';
import type { RequestRow } from '../core/request.ts';

export interface EndReportDeps {
  readonly store: RequestStore;
  readonly lists: ListStore;
  readonly pipeline: Pick<Pipeline, 'report'>;
}

/** Writes the failed rows, then the summary of an ended request: where there is a summary, both are there. */
export async function writeEndReport({ store, lists, pipeline }: EndReportDeps, row: RequestRow): Promise<void> {
  if ((await lists.resultMetadata(keys.endSummary(row.id))) !== null) return;
  await lists.put(keys.failureReport(row.id), failedRowsOnly(pipeline.report(row.id, 'failed')));
  const { pops, urls } = await summariseFailures({ store, lists }, row);
  const summary = { ...viewEnd(row), failure_pops: pops, failure_urls: urls };
  await lists.putResult(keys.endSummary(row.id), `${JSON.stringify(summary, null, 2)}\n`, {});
}

/** What `writeEndReport` has kept of what failed; null: it has not yet. */
export async function readEndSummary(lists: ListStore, requestId: string): Promise<FailureSummary | null> {
  const key = keys.endSummary(requestId);
  if ((await lists.resultMetadata(key)) === null) return null;
  const chunks = await Array.fromAsync(lists.readResult(key));
  const kept = JSON.parse(Buffer.concat(chunks).toString()) as { failure_pops: readonly string[]; failure_urls: readonly string[] };
  return { pops: kept.failure_pops, urls: kept.failure_urls };
}
