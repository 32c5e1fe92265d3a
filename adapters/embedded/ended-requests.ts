import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as letOthersIn } from 'node:timers/promises';
import { PrewarmError } from '../../core/errors.ts';
import { PLAIN_HEADERS } from '../../core/request/without-secrets.ts';
import type { Database } from './database.ts';
import { translating } from './storage-error.ts';

/** An ended request as its deletion sees it. */
export interface EndedRequest {
  readonly id: string;
  readonly endedAt: number;
  /** It has a `notify_url`. */
  readonly notifies: boolean;
}

/** Ended requests of a data directory: what they still hold of viewers, and their deletion. In AWS the tables and the bucket delete by age themselves. */
export interface EndedRequests {
  /** Ids of requests without a `notify_url` whose row still holds secrets of viewers, in the order of ids, from the one after `after`. */
  withSecrets(max: number, after: string): readonly string[];
  /** Requests that ended before `at`, oldest end first, from the one after `after`. */
  before(at: number, max: number, after: EndedRequest | null): readonly EndedRequest[];
  /** Deletes all rows and files of a request, in small steps. After a crash in between, `before` finds the request again. */
  remove(id: string): Promise<void>;
  /** Has the write-ahead log emptied, now or as soon as nobody reads it. */
  emptyLog(): void;
}

/** Rows that one transaction deletes: some milliseconds. */
const ROWS_AT_ONCE = 500;
/** Tables whose rows name their request; the request's own row goes last. */
const FEW_ROWS = ['pops', 'provisional', 'timers', 'outbox', 'idempotency'] as const;

const WITH_SECRETS = `
SELECT id FROM requests
WHERE ended_at IS NOT NULL AND id > ? AND json_valid(spec) AND spec ->> 'notifyUrl' IS NULL AND EXISTS (
  SELECT 1 FROM json_each(spec, '$.variants') AS variant, json_each(variant.value, '$.headers') AS header
  WHERE header.value ->> 1 <> '' AND lower(header.value ->> 0) NOT IN (SELECT value FROM json_each(?))
)
ORDER BY id LIMIT ?`;

const BEFORE = `
SELECT id, ended_at, iif(json_valid(spec), spec ->> 'notifyUrl' IS NOT NULL, 0) AS notifies FROM requests
WHERE ended_at < ? AND (ended_at, id) > (?, ?) ORDER BY ended_at, id LIMIT ?`;

export function createEndedRequests(db: Database, dir: string): EndedRequests {
  const plainHeaders = JSON.stringify([...PLAIN_HEADERS]);
  return {
    withSecrets: (max, after) => db.all<{ id: string }>(WITH_SECRETS, after, plainHeaders, max).map(({ id }) => id),
    before: (at, max, after) =>
      db
        .all<{ id: string; ended_at: number; notifies: number }>(BEFORE, at, after?.endedAt ?? -1, after?.id ?? '', max)
        .map((row) => ({ id: row.id, endedAt: row.ended_at, notifies: row.notifies === 1 })),
    async remove(id) {
      if (!/^[\w-]+$/.test(id)) throw new PrewarmError('storage', `the request ${JSON.stringify(id)} has an id that is no file name`);
      // Once the files are gone nothing says any more that its end was sent, so the row must not ask for that.
      const isEnded = db.run(
        `UPDATE requests SET spec = iif(json_valid(spec), json_remove(spec, '$.notifyUrl'), spec) WHERE id = ? AND ended_at IS NOT NULL`,
        id,
      );
      if (isEnded === 0) return;
      for (const folder of ['requests', 'reports']) {
        const path = join(dir, folder, id);
        await translating(path, () => rm(path, { recursive: true, force: true }));
      }
      await deleteMany(db, 'tasks', 'task_id', id);
      await deleteMessages(db, id);
      db.transaction(() => {
        for (const table of FEW_ROWS) db.run(`DELETE FROM ${table} WHERE request_id = ?`, id);
        db.run('DELETE FROM requests WHERE id = ?', id);
      });
    },
    emptyLog: () => db.emptyLog(),
  };
}

async function deleteMany(db: Database, table: 'tasks', key: string, id: string): Promise<void> {
  const sql = `DELETE FROM ${table} WHERE request_id = ? AND ${key} IN (SELECT ${key} FROM ${table} WHERE request_id = ? LIMIT ${ROWS_AT_ONCE})`;
  while (db.run(sql, id, id) > 0) await letOthersIn();
}

async function deleteMessages(db: Database, id: string): Promise<void> {
  const sql = `DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE queue = 'tasks' AND fair_key = ? LIMIT ${ROWS_AT_ONCE})`;
  while (db.run(sql, id) > 0) await letOthersIn();
}
