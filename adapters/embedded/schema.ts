/** Version of the tables, kept in `user_version`. A change of the tables raises it and adds its step to `SCHEMA_STEPS`. */
export const SCHEMA_VERSION = 4;

const IDEMPOTENCY = `
CREATE TABLE idempotency (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, request_id TEXT NOT NULL, lapses_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX idempotency_by_lapse ON idempotency (lapses_at);
`;

const ENDS = 'CREATE INDEX requests_by_end ON requests (ended_at, id) WHERE ended_at IS NOT NULL;';

/** What turns the tables of a version into those of the next. */
export const SCHEMA_STEPS: Readonly<Record<number, string>> = {
  1: `ALTER TABLE requests ADD COLUMN made_by TEXT; ${IDEMPOTENCY}`,
  2: `
ALTER TABLE provisional ADD COLUMN byte_rate REAL NOT NULL DEFAULT 0;
ALTER TABLE provisional ADD COLUMN in_flight INTEGER NOT NULL DEFAULT 0;
`,
  3: ENDS,
};

/**
 * Sums of bytes are REAL because they may pass 2^53, where SQLite's integers no longer fit into a number. Sequences and
 * message ids are AUTOINCREMENT so that a late acknowledgement never hits a later row.
 */
export const SCHEMA = `
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
CREATE TABLE recorded_tasks (request_id TEXT PRIMARY KEY, tasks INTEGER NOT NULL) WITHOUT ROWID;

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
