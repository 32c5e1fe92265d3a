import { createFailureDigest } from '../../core/report/failure-digest.ts';
import type { Progress } from '../../core/report/progress.ts';
import type { ApiClient } from '../../client/api-client.ts';
import { ApiError } from '../../client/api-error.ts';
import type { ToldFailures } from './failure-lines.ts';

/** A longer report takes longer to fetch than anybody waits for the end of a command. */
const MAX_ROWS = 50_000;

export interface RemoteFailuresContext {
  readonly client: Pick<ApiClient, 'summary' | 'reportLines'>;
  readonly signal: AbortSignal;
  /** ` --endpoint URL` where the environment does not name it. */
  readonly endpointHint: string;
  readonly note: (text: string) => void;
}

/** What failed of a request that has ended, from the report that the API links to; null: nothing did, or it is not known which. */
export async function readRemoteFailures(progress: Progress, context: RemoteFailuresContext): Promise<ToldFailures | null> {
  const { failed_count: failed, stopped_count: stopped, request_id: id } = progress;
  if (failed - stopped <= 0 || failed > MAX_ROWS) return null;
  const { client, signal, endpointHint, note } = context;
  const digest = createFailureDigest();
  try {
    const { failure_pop_urls_report: link } = await client.summary(id);
    for await (const line of client.reportLines(link)) digest.add(line);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ApiError)) throw error;
    note(`which URLs failed could not be read: ${error.message}`);
    return null;
  }
  return { digest, whereAll: `All failed targets: prewarm summary ${id}${endpointHint}`, showAll: false };
}
