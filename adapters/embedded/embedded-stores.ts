import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { ListStore } from '../../core/ports/list-store.ts';
import type { RequestStore } from '../../core/ports/request-store.ts';
import type { TaskMessage } from '../../core/work/task.ts';
import { type Database, openDatabase } from './database.ts';
import { createEndedRequests, type EndedRequests } from './ended-requests.ts';
import { createFileListStore } from './file-list-store.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createSqliteQueue, type SqliteQueue } from './sqlite-queue.ts';
import { createSqliteRequestStore } from './sqlite-request-store.ts';
import type { Timers } from '../../core/ports/ports.ts';

/** Everything of the embedded family that lives in the data directory. */
export interface EmbeddedStores {
  readonly store: RequestStore;
  readonly lists: ListStore;
  readonly tasks: SqliteQueue<TaskMessage>;
  readonly timers: SqliteTimers;
  readonly outbox: Outbox;
  readonly ended: EndedRequests;
  /** Ends every wait on the queue and closes the tables. */
  close(): void;
}

/**
 * Opens the stores of a data directory, in the parent (which holds the directory's lock) and in each agent alike.
 * `holder` names this process in its leases: `createHolder()`. Throws PrewarmError `storage_full` or `storage`.
 */
export function openEmbeddedStores(
  dir: string,
  clock: Clock,
  options: { readonly holder: string; readonly leaseMs?: number },
): EmbeddedStores {
  const lists = createFileListStore(dir, options.holder);
  const db = openDatabase(join(dir, 'prewarm.db'));
  const tasks = createSqliteQueue<TaskMessage>(db, 'tasks', clock, { ...options, fairKey: (message) => message.requestId });
  return {
    store: createSqliteRequestStore(db, clock),
    lists,
    tasks,
    timers: createSqliteTimers(db),
    outbox: createOutbox(db),
    ended: createEndedRequests(db, dir),
    close: () => {
      tasks.close();
      db.close();
    },
  };
}

interface DueTimer {
  readonly requestId: string;
  readonly at: number;
}

/** Timers as rows; whoever runs the pipeline takes those that are due. */
export interface SqliteTimers extends Timers {
  /** Earliest first; what is not acknowledged is due again. */
  takeDue(now: number, max: number): readonly DueTimer[];
  /** Removes those timers, unless they were set to another time meanwhile. */
  acknowledge(timers: readonly DueTimer[]): void;
}

export function createSqliteTimers(db: Database): SqliteTimers {
  return {
    set: async (requestId, at) => {
      db.run('INSERT INTO timers (request_id, at) VALUES (?, ?) ON CONFLICT (request_id) DO UPDATE SET at = excluded.at', requestId, at);
    },
    cancel: async (requestId) => {
      db.run('DELETE FROM timers WHERE request_id = ?', requestId);
    },
    takeDue: (now, max) =>
      db.all<DueTimer>('SELECT request_id AS requestId, at FROM timers WHERE at <= ? ORDER BY at, request_id LIMIT ?', now, max),
    acknowledge: (timers) => {
      if (timers.length === 0) return;
      db.transaction(() => {
        for (const { requestId, at } of timers) db.run('DELETE FROM timers WHERE request_id = ? AND at = ?', requestId, at);
      });
    },
  };
}
