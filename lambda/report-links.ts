import type { S3Links } from '../adapters/aws/s3-links.ts';
import type { ReportLinks } from '../api/api-deps.ts';
import { PrewarmError } from '../core/errors.ts';
import { keys } from '../core/keys.ts';
import { type EndReportDeps, writeEndReport } from './end-report.ts';

/** API Gateway waits 29 s. */
const WRITE_MS = 20_000;

async function within<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Links to reports in the bucket; one that is not there yet is written on the spot. None of them leads back to the API. */
export function createBucketReportLinks(deps: EndReportDeps & { readonly links: S3Links }): ReportLinks {
  return {
    servesReports: false,
    async linkTo(requestId) {
      const row = await deps.store.get(requestId);
      if (row === null) throw new PrewarmError('not_found', `there is no request ${requestId}`);
      const late = () => new PrewarmError('storage', `the report of ${requestId} is still being written; ask again in a minute`);
      await within(writeEndReport(deps, row), WRITE_MS, late);
      return deps.links.linkTo(keys.failureReport(requestId), `${requestId}.csv`);
    },
    check: () => 'wrong',
  };
}
