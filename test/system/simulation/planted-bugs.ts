import type { Database } from '../../../adapters/embedded/database.ts';
import type { Outbox } from '../../../adapters/embedded/outbox.ts';
import { accounted } from '../../../core/work/counters.ts';
import type { Downloader } from '../../../core/ports/downloader.ts';
import type { ListStore, ResultMetadata } from '../../../core/ports/list-store.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';

/**
 * Bugs put in on purpose, to know that the simulation would find them:
 * - `count-twice`: counts a task without the condition that it was not counted yet;
 * - `overwrite-result`: a second result replaces the first, which was counted;
 * - `end-anyway`: ends a request although more has been counted since it was read;
 * - `acknowledge-first`: changes are acknowledged before they are dealt with, so that a crash loses them;
 * - `warm-error-page`: an error page with status 200 counts as warm.
 */
export const PLANTED_BUGS = ['count-twice', 'overwrite-result', 'end-anyway', 'acknowledge-first', 'warm-error-page'] as const;
export type PlantedBug = (typeof PLANTED_BUGS)[number];

export function plantInStore(bug: PlantedBug | null, db: Database, store: RequestStore): RequestStore {
  if (bug === 'count-twice') {
    return {
      ...store,
      countTasks: async (requestId, taskIds, at) => {
        db.run(
          'UPDATE tasks SET counted = 0 WHERE request_id = ? AND task_id IN (SELECT value FROM json_each(?))',
          requestId,
          JSON.stringify(taskIds),
        );
        return store.countTasks(requestId, taskIds, at);
      },
    };
  }
  if (bug === 'end-anyway') {
    return {
      ...store,
      end: async (id, status, end) => {
        const row = await store.get(id);
        return row !== null && store.end(id, status, { ...end, ifAccounted: accounted(row.counters) });
      },
    };
  }
  return store;
}

export function plantInLists(bug: PlantedBug | null, lists: ListStore): ListStore {
  if (bug !== 'overwrite-result') return lists;
  const results = new Map<string, { readonly body: string; readonly metadata: ResultMetadata }>();
  return {
    ...lists,
    putResult: async (key, body, metadata) => {
      results.set(key, { body, metadata });
      return { existing: null };
    },
    resultMetadata: async (key) => results.get(key)?.metadata ?? null,
    readResult: async function* (key) {
      yield Buffer.from(results.get(key)?.body ?? '');
    },
  };
}

export function plantInOutbox(bug: PlantedBug | null, outbox: Outbox): Outbox {
  if (bug !== 'acknowledge-first') return outbox;
  return {
    ...outbox,
    take: (topic, max) => {
      const records = outbox.take(topic, max);
      outbox.acknowledge(records.map(({ sequence }) => sequence));
      return records;
    },
  };
}

export function plantInDownloader(bug: PlantedBug | null, downloader: Downloader): Downloader {
  if (bug !== 'warm-error-page') return downloader;
  return {
    ...downloader,
    ask: async (ask) => {
      const answer = await downloader.ask(ask);
      return answer.status === 200 && answer.xCache.startsWith('Error') ? { ...answer, xCache: 'Hit from cloudfront' } : answer;
    },
  };
}
