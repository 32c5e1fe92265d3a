import type { Counters } from '../../core/work/counters.ts';
import type { PopRow, RequestRow, RequestSummary } from '../../core/request/request.ts';
import type { Database } from './database.ts';

/** A row of the table `requests`. */
interface RequestRecord {
  id: string;
  created_at: number;
  updated_at: number;
  status: RequestRow['status'];
  status_reason: string | null;
  spec: string;
  made_by: string | null;
  url_count: number;
  total_count: number;
  total_bytes: number;
  counters: string;
  sizing: string;
  plan: string | null;
  invalidations: string;
  queued_at: number | null;
  ended_at: number | null;
  timeout_at: number | null;
}

function requestOf(record: RequestRecord): RequestRow {
  return {
    id: record.id,
    spec: JSON.parse(record.spec),
    madeBy: record.made_by,
    status: record.status,
    statusReason: record.status_reason,
    urlCount: record.url_count,
    totalCount: record.total_count,
    totalBytes: record.total_bytes,
    counters: JSON.parse(record.counters),
    sizing: JSON.parse(record.sizing),
    plan: record.plan === null ? null : JSON.parse(record.plan),
    invalidations: JSON.parse(record.invalidations),
    createdAt: record.created_at,
    updatedAt: record.updated_at,
    queuedAt: record.queued_at,
    endedAt: record.ended_at,
    timeoutAt: record.timeout_at,
  };
}

/** Inserts the request if its id is new; false otherwise. */
export function insertRequest(db: Database, row: RequestRow): boolean {
  const inserted = db.run(
    `INSERT INTO requests (id, created_at, updated_at, status, status_reason, spec, made_by, url_count, total_count, total_bytes,
       counters, sizing, plan, invalidations, queued_at, ended_at, timeout_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    row.id,
    row.createdAt,
    row.updatedAt,
    row.status,
    row.statusReason,
    JSON.stringify(row.spec),
    row.madeBy,
    row.urlCount,
    row.totalCount,
    row.totalBytes,
    JSON.stringify(row.counters),
    JSON.stringify(row.sizing),
    row.plan === null ? null : JSON.stringify(row.plan),
    JSON.stringify(row.invalidations),
    row.queuedAt,
    row.endedAt,
    row.timeoutAt,
  );
  return inserted === 1;
}

export function selectRequest(db: Database, id: string): RequestRow | null {
  const record = db.get<RequestRecord>('SELECT * FROM requests WHERE id = ?', id);
  return record === undefined ? null : requestOf(record);
}

/** The columns of a summary, each of them short, however long the lists of the row are. */
const SUMMARY = `id, created_at, updated_at, status, status_reason, made_by, url_count, total_count, total_bytes, counters, ended_at, timeout_at,
  spec ->> 'domain' AS domain, spec ->> 'agents' AS agents, spec ->> 'notifyUrl' IS NOT NULL AS notifies, spec ->> 'name' AS name,
  coalesce(json_array_length(plan, '$.pops'), json_array_length(spec, '$.pops')) AS pop_count`;

type SummaryRecord = Omit<RequestRecord, 'spec' | 'sizing' | 'plan' | 'invalidations' | 'queued_at'> & {
  readonly domain: string | null;
  readonly agents: number;
  readonly notifies: number;
  readonly name: string | null;
  readonly pop_count: number;
};

function summaryOf(record: SummaryRecord): RequestSummary {
  return {
    id: record.id,
    domain: record.domain,
    agents: record.agents,
    popCount: record.pop_count,
    name: record.name,
    notifies: record.notifies === 1,
    madeBy: record.made_by,
    status: record.status,
    statusReason: record.status_reason,
    urlCount: record.url_count,
    totalCount: record.total_count,
    totalBytes: record.total_bytes,
    counters: JSON.parse(record.counters),
    createdAt: record.created_at,
    updatedAt: record.updated_at,
    endedAt: record.ended_at,
    timeoutAt: record.timeout_at,
  };
}

/** Requests whose status is one of `statuses`, oldest first. */
export function selectByStatus(db: Database, statuses: readonly string[]): RequestSummary[] {
  const sql = `SELECT ${SUMMARY} FROM requests WHERE status IN (SELECT value FROM json_each(?)) ORDER BY created_at, id`;
  return db.all<SummaryRecord>(sql, JSON.stringify(statuses)).map(summaryOf);
}

/** Newest first, from the row after (`createdAt`, `id`). */
export function selectPage(db: Database, limit: number, after: { createdAt: number; id: string } | null): RequestSummary[] {
  const newestFirst = 'ORDER BY created_at DESC, id DESC LIMIT ?';
  if (after === null) return db.all<SummaryRecord>(`SELECT ${SUMMARY} FROM requests ${newestFirst}`, limit).map(summaryOf);
  const sql = `SELECT ${SUMMARY} FROM requests WHERE (created_at, id) < (?, ?) ${newestFirst}`;
  return db.all<SummaryRecord>(sql, after.createdAt, after.id, limit).map(summaryOf);
}

interface PopRecord {
  request_id: string;
  pop: string;
  state: PopRow['state'];
  addresses: string;
  total_count: number;
  counters: string;
}

function popOf(record: PopRecord): PopRow {
  return {
    requestId: record.request_id,
    pop: record.pop,
    state: record.state,
    addresses: JSON.parse(record.addresses),
    totalCount: record.total_count,
    counters: JSON.parse(record.counters),
  };
}

export function insertPop(db: Database, row: PopRow, position: number): void {
  db.run(
    'INSERT INTO pops (request_id, pop, position, state, addresses, total_count, counters) VALUES (?, ?, ?, ?, ?, ?, ?)',
    row.requestId,
    row.pop,
    position,
    row.state,
    JSON.stringify(row.addresses),
    row.totalCount,
    JSON.stringify(row.counters),
  );
}

/** In planning order. */
export function selectPops(db: Database, requestId: string): PopRow[] {
  return db.all<PopRecord>('SELECT * FROM pops WHERE request_id = ? ORDER BY position', requestId).map(popOf);
}

/** A copy of the POP's counters, to be added to; undefined: no such POP. */
export function selectPopCounters(db: Database, requestId: string, pop: string): Record<string, number> | undefined {
  const record = db.get<{ counters: string }>('SELECT counters FROM pops WHERE request_id = ? AND pop = ?', requestId, pop);
  return record === undefined ? undefined : JSON.parse(record.counters);
}

export function updatePopCounters(db: Database, requestId: string, pop: string, counters: Readonly<Record<string, number>>): void {
  db.run('UPDATE pops SET counters = ? WHERE request_id = ? AND pop = ?', JSON.stringify(counters), requestId, pop);
}

/** Counters of a task that has not been counted yet. */
export interface UncountedTask {
  readonly pop: string;
  readonly counters: Counters;
}

/** Marks those of the tasks counted that exist and were not, and returns them. */
export function takeUncounted(db: Database, requestId: string, taskIds: readonly string[]): UncountedTask[] {
  const ids = JSON.stringify(taskIds);
  return db
    .all<{ pop: string; counters: string }>(
      `UPDATE tasks SET counted = 1 WHERE request_id = ? AND counted = 0 AND task_id IN (SELECT value FROM json_each(?))
       RETURNING pop, counters`,
      requestId,
      ids,
    )
    .map((row) => ({ pop: row.pop, counters: JSON.parse(row.counters) }));
}
