import type { Timers } from '../../core/ports/timers.ts';
import type { Database } from './database.ts';

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
