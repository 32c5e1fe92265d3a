import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failedRowsOnly } from '../server/app/report-rows.ts';
import { PrewarmError } from '../core/errors.ts';
import { createFailureDigest, type FailureDigest } from '../core/report/failure-digest.ts';
import { writeReport } from './write-report.ts';

/** Beside the state where that was to be kept, else among the temporary files under the request's own name. */
export function failuresPath(dataDir: string | null, requestId: string): string {
  return dataDir === null ? join(tmpdir(), `prewarm-failures-${requestId}.csv`) : join(dataDir, 'failures.csv');
}

/** The rows as they come, told to the digest on their way. */
async function* digested(rows: AsyncIterable<string>, digest: FailureDigest): AsyncGenerator<string> {
  for await (const text of rows) {
    for (const line of text.split('\n')) digest.add(line);
    yield text;
  }
}

/** What failed, of the failed rows of a report. */
async function digestFailures(rows: AsyncIterable<string>): Promise<FailureDigest> {
  const digest = createFailureDigest();
  for await (const _ of digested(rows, digest));
  return digest;
}

/** URLs may hold signatures, and the temporary folder is everybody's. */
const PRIVATE = 0o600;

export interface KeptFailures {
  readonly digest: FailureDigest;
  /** Why there is no whole file; null: there is. */
  readonly fault: PrewarmError | null;
}

/** Writes the failed rows of a report to `path`, and keeps of them what is shown. The report is never held as a whole. */
export async function writeFailures(path: string, report: () => AsyncIterable<string>): Promise<KeptFailures> {
  const digest = createFailureDigest();
  try {
    await writeReport(path, digested(failedRowsOnly(report()), digest), PRIVATE);
    return { digest, fault: null };
  } catch (error) {
    // A full disk takes the file, and not what is shown of it.
    if (!(error instanceof PrewarmError) || error.code !== 'storage') throw error;
    return { digest: await digestFailures(failedRowsOnly(report())), fault: error };
  }
}

/** A file that an earlier run has left is no file of this one's failures. */
export async function dropFailures(path: string): Promise<void> {
  await rm(path, { force: true });
}
