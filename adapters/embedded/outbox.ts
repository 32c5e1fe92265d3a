import type { Database } from './database.ts';

/** `end`: the end of a request alone, once for each request, where `request` tells its end among all other changes. */
export type OutboxTopic = 'request' | 'task' | 'end';

/** One change that the core has to hear of. `taskId` is set on topic `task`. */
interface OutboxRecord {
  readonly sequence: number;
  readonly requestId: string;
  readonly taskId?: string;
}

/** The embedded stand-in for table streams: changes wait here, in order, until they are acknowledged. */
export interface Outbox {
  /** Oldest first, at most `max`; what is not acknowledged is delivered again. Cheap when there is nothing. */
  take(topic: OutboxTopic, max: number): readonly OutboxRecord[];
  acknowledge(sequences: readonly number[]): void;
}

export function createOutbox(db: Database): Outbox {
  return {
    take: (topic, max) =>
      db
        .all<{ sequence: number; request_id: string; task_id: string | null }>(
          'SELECT sequence, request_id, task_id FROM outbox WHERE topic = ? ORDER BY sequence LIMIT ?',
          topic,
          max,
        )
        .map((row) => ({
          sequence: row.sequence,
          requestId: row.request_id,
          ...(row.task_id === null ? {} : { taskId: row.task_id }),
        })),
    acknowledge: (sequences) => {
      if (sequences.length === 0) return;
      db.transaction(() => db.run('DELETE FROM outbox WHERE sequence IN (SELECT value FROM json_each(?))', JSON.stringify(sequences)));
    },
  };
}

/** Writes a change into the outbox; called inside the transaction that makes the change. */
export function tell(db: Database, topic: OutboxTopic, requestId: string, taskId: string | null = null): void {
  db.run('INSERT INTO outbox (topic, request_id, task_id) VALUES (?, ?, ?)', topic, requestId, taskId);
}
