import { setImmediate as letOthersIn } from 'node:timers/promises';
import type { EndedRequest, EndedRequests } from '../adapters/embedded/ended-requests.ts';
import type { Clock } from '../core/clock.ts';
import { keys } from '../core/keys.ts';
import type { ListStore } from '../core/ports/list-store.ts';
import type { ServerLog } from '../server/node/server-log.ts';

export interface RetentionOptions {
  readonly ended: Pick<EndedRequests, 'before' | 'remove'>;
  readonly lists: Pick<ListStore, 'resultMetadata'>;
  readonly clock: Clock;
  readonly log: ServerLog['log'];
  /** Requests that ended longer ago are deleted. */
  readonly keepDays: number;
}

/** Deletes ended requests by age. */
export interface Retention {
  /** Looks for old requests now, and then every hour. */
  start(): void;
  /** Stops between two requests. */
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const SWEEP_EVERY_MS = 3_600_000;
const PAGE = 100;

export function createRetention({ ended, lists, clock, log, keepDays }: RetentionOptions): Retention {
  let isClosed = false;
  let stopTimer = () => {};
  let sweeping: Promise<void> = Promise.resolve();

  /** An end that was not sent to its listener yet must still be sent. */
  const mayGo = async ({ id, notifies }: EndedRequest) => !notifies || (await lists.resultMetadata(keys.notified(id))) !== null;

  /** Whether the request was deleted. One that cannot be holds up no other. */
  async function removeOne(request: EndedRequest): Promise<boolean> {
    try {
      if (!(await mayGo(request))) return false;
      await ended.remove(request.id);
      return true;
    } catch (err) {
      log.error({ err, request_id: request.id }, 'an old request could not be deleted; it is tried again in an hour');
      return false;
    }
  }

  async function sweep(): Promise<void> {
    const before = clock.now() - keepDays * DAY_MS;
    let deleted = 0;
    let after: EndedRequest | null = null;
    for (let page = ended.before(before, PAGE, after); page.length > 0 && !isClosed; page = ended.before(before, PAGE, after)) {
      for (const request of page) {
        if (isClosed) break;
        after = request;
        if (await removeOne(request)) deleted += 1;
        await letOthersIn();
      }
    }
    if (deleted > 0) log.info({ requests: deleted, keep_days: keepDays }, 'old requests were deleted');
  }

  function start(): void {
    sweeping = sweep().catch((err: unknown) => log.error({ err }, 'old requests could not be looked for'));
    void sweeping.then(() => {
      if (!isClosed) stopTimer = clock.after(SWEEP_EVERY_MS, start);
    });
  }

  return {
    start,
    async close() {
      isClosed = true;
      await sweeping;
      stopTimer();
    },
  };
}
