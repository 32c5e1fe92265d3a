import { setImmediate as letOthersIn } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { EndedRequests } from '../adapters/embedded/ended-requests.ts';
import type { Notifier } from '../adapters/http/notifier.ts';
import { count } from '../core/work/counters.ts';
import { viewEnd } from '../core/report/end-view.ts';
import { keys } from '../core/keys.ts';
import type { Events } from '../core/ports/ports.ts';
import type { ListStore } from '../core/ports/list-store.ts';
import type { ListPosition, RequestStore } from '../core/ports/request-store.ts';
import { isEnded, type RequestRow } from '../core/request/request.ts';
import type { Log } from '../core/ports/log.ts';

interface Stores {
  readonly store: Pick<RequestStore, 'get' | 'list' | 'dropSecrets'>;
  readonly lists: Pick<ListStore, 'putResult' | 'resultMetadata'>;
  readonly ended: Pick<EndedRequests, 'withSecrets'>;
}

/** Tells of requests' ends, beside the work: nobody waits for a slow listener. */
export interface EndNotices extends Events {
  /** Begins to tell what an earlier run of the server did not get to any more. */
  resume(stores: Stores): void;
  /** Breaks off what is being told; the next run tells it. */
  close(): Promise<void>;
}

const PAGE = 100;
/** Listeners that are being told at a time. */
const TOLD_AT_ONCE = 100;

/** Logs each end, and posts it to the request's URL where it has one: once, however often it is told here. */
export function createEndNotices({ notifier, log }: { readonly notifier: Notifier; readonly log: Log }): EndNotices {
  const stop = new AbortController();
  const limit = pLimit(TOLD_AT_ONCE);
  const telling = new Map<string, Promise<void>>();
  let stores: Stores | null = null;
  let resuming: Promise<void> = Promise.resolve();

  async function tell(id: string, { store, lists }: Stores): Promise<void> {
    if (stop.signal.aborted) return;
    if ((await lists.resultMetadata(keys.notified(id))) !== null) {
      await store.dropSecrets(id);
      return;
    }
    const notice = noticeOf(await store.get(id));
    if (notice === null) return;
    const outcome = await notifier.post(notice.url, notice.body, stop.signal);
    if (stop.signal.aborted) return;
    if (outcome.told) log.info({ request_id: id }, 'the end was told to notify_url');
    else log.error({ request_id: id, fault: outcome.fault }, 'the end could not be told to notify_url');
    await lists.putResult(keys.notified(id), '', {});
    await store.dropSecrets(id);
  }

  function startTelling(id: string, from: Stores): void {
    if (telling.has(id)) return;
    const work = limit(() => tell(id, from)).catch((err: unknown) => log.error({ request_id: id, err }, 'the end was not told'));
    telling.set(id, work);
    void work.finally(() => telling.delete(id));
  }

  /** However many requests there are, one page of them is in memory, and others are served between two pages. */
  async function tellAll(from: Stores): Promise<void> {
    let after: ListPosition | undefined;
    do {
      const page = await from.store.list(PAGE, after);
      for (const { id, status, notifies } of page.requests) if (notifies && isEnded(status)) startTelling(id, from);
      after = page.next ?? undefined;
      await letOthersIn();
    } while (after !== undefined && !stop.signal.aborted);
  }

  /** Requests that ended under an earlier version, or just before a crash, whose secrets nobody has dropped. */
  async function dropLeftSecrets({ store, ended }: Stores): Promise<void> {
    let page = ended.withSecrets(PAGE, '');
    while (page.length > 0 && !stop.signal.aborted) {
      for (const id of page) {
        await store.dropSecrets(id);
        await letOthersIn();
      }
      page = ended.withSecrets(PAGE, page.at(-1) ?? '');
    }
  }

  return {
    requestEnded: async (row) => {
      const { id, status, statusReason, counters, spec } = row;
      const outcomes = {
        warmed: count(counters, 'warmed'),
        already_warm: count(counters, 'already_warm'),
        failed: count(counters, 'failed'),
      };
      log.info({ request_id: id, status, ...(statusReason === null ? {} : { reason: statusReason }), ...outcomes }, 'request ended');
      if (stores === null) return;
      if (spec.notifyUrl === undefined) await stores.store.dropSecrets(id);
      else startTelling(id, stores);
    },
    resume(from) {
      stores = from;
      resuming = tellAll(from)
        .then(() => dropLeftSecrets(from))
        .catch((err: unknown) => log.error({ err }, 'ends of earlier requests could not be looked for'));
    },
    async close() {
      stop.abort();
      await resuming;
      await Promise.all(telling.values());
    },
  };
}

/** All that is needed of a row, which need not stay in memory while a listener takes its time. */
function noticeOf(row: RequestRow | null): { readonly url: string; readonly body: unknown } | null {
  return row?.spec.notifyUrl === undefined ? null : { url: row.spec.notifyUrl, body: viewEnd(row) };
}
