import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { PrewarmError } from '../../core/errors.ts';
import { SCHEMA, SCHEMA_STEPS, SCHEMA_VERSION } from './schema.ts';
import { storageError } from './storage-error.ts';

/** How long a process waits for another one's write; writes take microseconds to milliseconds. */
const BUSY_TIMEOUT_MS = 5000;
/** The write-ahead log shrinks to this after a checkpoint, bytes. */
const LOG_SIZE_LIMIT = 64 * 1024 * 1024;
/** Between two tries to empty the log while it is read: twice as long each time. */
const EMPTYING_FIRST_PAUSE_MS = 100;
const EMPTYING_LONGEST_PAUSE_MS = 60_000;

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the statement decides the row's shape, and only its caller knows it
type GetRow = <Row>(sql: string, ...values: SQLInputValue[]) => Row | undefined;

/** One connection to the tables. Every method throws PrewarmError `storage_full` or `storage` when the file fails. */
export interface Database {
  readonly path: string;
  /** Rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number;
  readonly get: GetRow;
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[];
  /** Runs `work` under the write lock: all of it happens, or nothing. Does not nest. */
  transaction<T>(work: () => T): T;
  /** Empties the write-ahead log, which keeps earlier copies of a page: now, or as soon as no other process reads it. */
  emptyLog(): void;
  close(): void;
}

/**
 * Opens the tables at `path` (or `:memory:`), creating them where there are none. Throws PrewarmError `storage` also
 * for a file made by a newer version of the program.
 */
export function openDatabase(path: string): Database {
  let sqlite: DatabaseSync | undefined;
  try {
    sqlite = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    const database = databaseOn(sqlite, path);
    // A process killed between two statements loses nothing in this mode; a power cut may take the last commits, never the file.
    sqlite.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${LOG_SIZE_LIMIT}`);
    // What is deleted may have been a viewer's credential.
    sqlite.exec('PRAGMA secure_delete = ON');
    createTables(database, sqlite);
    return database;
  } catch (error) {
    if (sqlite?.isOpen) sqlite.close();
    throw storageError(error, path);
  }
}

function createTables(database: Database, sqlite: DatabaseSync): void {
  if (versionOf(database) === SCHEMA_VERSION) return;
  database.transaction(() => {
    let version = versionOf(database);
    if (version === 0) sqlite.exec(`${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}`);
    else {
      for (let step = SCHEMA_STEPS[version]; step !== undefined; step = SCHEMA_STEPS[version]) {
        version += 1;
        sqlite.exec(`${step} PRAGMA user_version = ${version}`);
      }
      if (version === SCHEMA_VERSION) return;
      throw new PrewarmError(
        'storage',
        `${database.path}: was made by a newer version of this program (tables ${version}, this version knows tables up to ${SCHEMA_VERSION}); use that version, or choose another data directory`,
      );
    }
  });
}

function versionOf(database: Database): number {
  return database.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
}

function databaseOn(sqlite: DatabaseSync, path: string): Database {
  const statements = new Map<string, StatementSync>();
  const statement = (sql: string) => {
    const kept = statements.get(sql);
    if (kept !== undefined) return kept;
    const prepared = sqlite.prepare(sql);
    statements.set(sql, prepared);
    return prepared;
  };
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw storageError(error, path);
    }
  };
  const log = createLogEmptier(sqlite);
  return {
    path,
    run: (sql, ...values) => attempt(() => Number(statement(sql).run(...values).changes)),
    get: ((sql: string, ...values: SQLInputValue[]) => attempt(() => statement(sql).get(...values))) as GetRow,
    all: <Row>(sql: string, ...values: SQLInputValue[]) => attempt(() => statement(sql).all(...values) as Row[]),
    transaction: (work) =>
      attempt(() => {
        // At once the write lock: a reader that turns writer could not wait for one and would fail.
        statement('BEGIN IMMEDIATE').run();
        try {
          const result = work();
          statement('COMMIT').run();
          return result;
        } catch (error) {
          // A full disk may have rolled back already.
          if (sqlite.isTransaction) statement('ROLLBACK').run();
          throw error;
        }
      }),
    emptyLog: () => attempt(() => log.empty()),
    close: () => {
      log.close();
      statements.clear();
      if (sqlite.isOpen) sqlite.close();
    },
  };
}

/** Empties the write-ahead log, again and again while somebody reads it. */
function createLogEmptier(sqlite: DatabaseSync): { empty(): void; close(): void } {
  let retry: NodeJS.Timeout | undefined;
  /** Whether the log is empty now. */
  const isEmptied = (): boolean => {
    // A checkpoint would wait for readers in this thread.
    sqlite.exec('PRAGMA busy_timeout = 0');
    try {
      return (sqlite.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number } | undefined)?.busy === 0;
    } finally {
      sqlite.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  };
  const tryAfter = (pauseMs: number): void => {
    clearTimeout(retry);
    retry = setTimeout(() => {
      retry = undefined;
      const nextMs = Math.min(2 * pauseMs, EMPTYING_LONGEST_PAUSE_MS);
      try {
        if (!isEmptied()) tryAfter(nextMs);
      } catch {
        // A disk that fails is reported by whoever writes next; the log is still to be emptied when it works again.
        tryAfter(nextMs);
      }
    }, pauseMs);
    retry.unref();
  };
  return {
    empty() {
      if (!isEmptied()) tryAfter(EMPTYING_FIRST_PAUSE_MS);
    },
    close() {
      // The last connection that is closed empties the log by itself.
      clearTimeout(retry);
    },
  };
}
