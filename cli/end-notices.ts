import type { Notifier } from '../adapters/http/notifier.ts';
import { count } from '../core/counters.ts';
import { viewEnd } from '../core/end-view.ts';
import { keys } from '../core/keys.ts';
import type { Events } from '../core/ports/events.ts';
import type { ListStore } from '../core/ports/list-store.ts';
import type { RequestStore } from '../core/ports/request-store.ts';
import { isEnded, type RequestRow } from '../core/request.ts';
import type { ServerLog } from './server-log.ts';

interface Stores {
  readonly store: Pick<RequestStore, 'list'>;
  readonly lists: Pick<ListStore, 'putResult' | 'resultMetadata'>;
}

/** Tells of requests' ends, beside the work: nobody waits for a slow listener. */
export interface EndNotices extends Events {
  /** Tells what an earlier run of the server did not get to any more. */
  resume(stores: Stores): Promise<void>;
  /** Breaks off what is being told; the next run tells it. */
  close(): Promise<void>;
}

/** Requests that an earlier run may have left untold are among the newest. */
const RESUMED = 500;

/** Logs each end, and posts it to the request's URL where it has one: once, however often it is told here. */
export function createEndNotices({ notifier, log }: { readonly notifier: Notifier; readonly log: ServerLog['log'] }): EndNotices {
  const stop = new AbortController();
  const telling = new Map<string, Promise<void>>();
  let lists: Stores['lists'] | null = null;

  async function tell({ id, spec }: RequestRow, body: unknown, marks: Stores['lists']): Promise<void> {
    if (spec.notifyUrl === undefined || (await marks.resultMetadata(keys.notified(id))) !== null) return;
    const outcome = await notifier.post(spec.notifyUrl, body, stop.signal);
    if (stop.signal.aborted) return;
    if (outcome.told) log.info({ request_id: id }, 'the end was told to notify_url');
    else log.error({ request_id: id, fault: outcome.fault }, 'the end could not be told to notify_url');
    await marks.putResult(keys.notified(id), '', {});
  }

  function startTelling(row: RequestRow): void {
    if (row.spec.notifyUrl === undefined || lists === null || telling.has(row.id)) return;
    const work = tell(row, viewEnd(row), lists).catch((err: unknown) => log.error({ request_id: row.id, err }, 'the end was not told'));
    telling.set(row.id, work);
    void work.finally(() => telling.delete(row.id));
  }

  return {
    requestEnded: async (row) => {
      const { id, status, statusReason, counters } = row;
      const outcomes = {
        warmed: count(counters, 'warmed'),
        already_warm: count(counters, 'already_warm'),
        failed: count(counters, 'failed'),
      };
      log.info({ request_id: id, status, reason: statusReason, ...outcomes }, 'request ended');
      startTelling(row);
    },
    async resume(stores) {
      lists = stores.lists;
      const { requests } = await stores.store.list(RESUMED);
      for (const row of requests) if (isEnded(row.status)) startTelling(row);
    },
    async close() {
      stop.abort();
      await Promise.all(telling.values());
    },
  };
}
