import type { EmbeddedStores } from '../adapters/embedded/embedded-stores.ts';
import { PrewarmError } from '../core/errors.ts';
import { describeWait, NOBODY_AFTER_MS } from '../core/report/nobody-came.ts';
import { type Progress, viewProgress } from '../core/report/progress.ts';
import { isEnded, type RequestRow } from '../core/request/request.ts';

/** Looks are cheap reads of local tables; a short first pause lets small requests end at once. */
const LOOK_MS = 20;

export async function readProgress(stores: EmbeddedStores, id: string): Promise<{ row: RequestRow; progress: Progress }> {
  const row = await stores.store.get(id);
  if (row === null) throw new PrewarmError('not_found', `request ${id} is not in this data directory`);
  const [provisional, queue] = await Promise.all([stores.store.listProvisional(id), stores.tasks.counts()]);
  const now = Date.now();
  const progress = viewProgress(row, provisional, queue, now);
  const wait = describeWait(row, { provisional, queue }, NOBODY_AFTER_MS.processes, now);
  return { row, progress: { ...progress, status_reason: progress.status_reason ?? wait } };
}

/** Tells `show` of the request's progress every `everyMs` until it has ended; resolves to the row as it is then. */
export async function watchRequest(
  stores: EmbeddedStores,
  id: string,
  options: { readonly everyMs: number; readonly show: (progress: Progress) => void; readonly signal: AbortSignal },
): Promise<RequestRow> {
  let nextShow = 0;
  while (!options.signal.aborted) {
    const row = await stores.store.get(id);
    if (row !== null && isEnded(row.status)) return row;
    if (Date.now() >= nextShow) {
      options.show((await readProgress(stores, id)).progress);
      nextShow = Date.now() + options.everyMs;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
  }
  throw options.signal.reason;
}
