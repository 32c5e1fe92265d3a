import type { S3Links } from '../../adapters/aws/s3-links.ts';
import type { ReportLinks } from '../../server/app/api-deps.ts';
import { PrewarmError } from '../../core/errors.ts';
import type { Events } from '../../core/ports/ports.ts';
import type { RequestRow } from '../../core/request/request.ts';
import { type EndReportDeps, keptReport, writeEndReport } from '../end-report.ts';

/** API Gateway waits 29 s. */
const WRITE_MS = 20_000;

export interface BucketReportLinksDeps extends EndReportDeps {
  readonly links: S3Links;
  readonly events: Events;
  /** How long the report may take to be written on the spot. Default 20,000. */
  readonly writeMs?: number;
}

/** Answers null if the work takes longer. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(resolve, ms, null);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Answers the key of the report as it can be had now. A report that takes longer is left to the function that writes it at the end of a request. */
async function reportNow(deps: BucketReportLinksDeps, row: RequestRow): Promise<string> {
  const written = await within(writeEndReport(deps, row), deps.writeMs ?? WRITE_MS);
  if (written !== null) return written;
  const kept = await keptReport(deps.lists, row.id);
  if (kept === null) throw new PrewarmError('storage', `the report of ${row.id} is still being written; ask again in a minute`);
  // What lacks is what came after the end; that is written in the meantime.
  await deps.events.requestEnded(row);
  return kept;
}

/** Links to reports in the bucket; one that is not there yet is written on the spot. None of them leads back to the API. */
export function createBucketReportLinks(deps: BucketReportLinksDeps): ReportLinks {
  return {
    servesReports: false,
    async linkTo(requestId) {
      const row = await deps.store.get(requestId);
      if (row === null) throw new PrewarmError('not_found', `there is no request ${requestId}`);
      return deps.links.linkTo(await reportNow(deps, row), `${requestId}.csv`);
    },
    check: () => 'wrong',
  };
}
