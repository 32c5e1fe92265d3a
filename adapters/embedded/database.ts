import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { PrewarmError } from '../../core/errors.ts';
import { storageError } from './storage-error.ts';

/** Version of the tables, kept in `user_version`. A change of the tables raises it and adds its step to `SCHEMA_STEPS`. */
export const SCHEMA_VERSION = 5;

const IDEMPOTENCY = `
CREATE TABLE idempotency (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, request_id TEXT NOT NULL, lapses_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX idempotency_by_lapse ON idempotency (lapses_at);
`;

const ENDS = 'CREATE INDEX requests_by_end ON requests (ended_at, id) WHERE ended_at IS NOT NULL;';

/** What turns the tables of a version into those of the next. */
const SCHEMA_STEPS: Readonly<Record<number, string>> = {
  1: `ALTER TABLE requests ADD COLUMN made_by TEXT; ${IDEMPOTENCY}`,
  2: `
ALTER TABLE provisional ADD COLUMN byte_rate REAL NOT NULL DEFAULT 0;
ALTER TABLE provisional ADD COLUMN in_flight INTEGER NOT NULL DEFAULT 0;
`,
  3: ENDS,
  4: 'DROP TABLE IF EXISTS recorded_tasks;',
};

/**
 * Sums of bytes are REAL because they may pass 2^53, where SQLite's integers no longer fit into a number. Sequences and
 * message ids are AUTOINCREMENT so that a late acknowledgement never hits a later row.
 */
const SCHEMA = `
CREATE TABLE requests (
  id TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  status_reason TEXT,
  spec TEXT NOT NULL,
  made_by TEXT,
  url_count INTEGER NOT NULL,
  total_count INTEGER NOT NULL,
  total_bytes REAL NOT NULL,
  counters TEXT NOT NULL,
  sizing TEXT NOT NULL,
  plan TEXT,
  invalidations TEXT NOT NULL,
  queued_at INTEGER,
  ended_at INTEGER,
  timeout_at INTEGER
);
CREATE INDEX requests_by_age ON requests (created_at, id);
CREATE INDEX requests_by_status ON requests (status);
${ENDS}

CREATE TABLE pops (
  request_id TEXT NOT NULL,
  pop TEXT NOT NULL,
  position INTEGER NOT NULL,
  state TEXT NOT NULL,
  addresses TEXT NOT NULL,
  total_count INTEGER NOT NULL,
  counters TEXT NOT NULL,
  PRIMARY KEY (request_id, pop)
);

CREATE TABLE tasks (
  request_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  pop TEXT NOT NULL,
  counters TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  counted INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (request_id, task_id)
) WITHOUT ROWID;
CREATE INDEX tasks_by_pop ON tasks (request_id, pop, counted);

CREATE TABLE provisional (
  request_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  count INTEGER NOT NULL,
  bytes REAL NOT NULL,
  rate REAL NOT NULL,
  byte_rate REAL NOT NULL DEFAULT 0,
  in_flight INTEGER NOT NULL DEFAULT 0,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (request_id, agent_id)
) WITHOUT ROWID;
CREATE TABLE operator_claim (one INTEGER PRIMARY KEY CHECK (one = 1), agents INTEGER NOT NULL, lapses_at INTEGER NOT NULL);
CREATE TABLE timers (request_id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX timers_by_time ON timers (at);

CREATE TABLE outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, request_id TEXT NOT NULL, task_id TEXT);
CREATE INDEX outbox_by_topic ON outbox (topic, sequence);

CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queue TEXT NOT NULL,
  fair_key TEXT NOT NULL,
  rank INTEGER NOT NULL,
  available_at INTEGER NOT NULL,
  receive_count INTEGER NOT NULL DEFAULT 0,
  receipt TEXT,
  holder TEXT,
  body TEXT NOT NULL
);
CREATE INDEX messages_in_order ON messages (queue, rank, available_at);
CREATE INDEX messages_by_key ON messages (queue, fair_key, rank);
CREATE INDEX messages_by_holder ON messages (holder, queue) WHERE holder IS NOT NULL;
${IDEMPOTENCY}`;

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
