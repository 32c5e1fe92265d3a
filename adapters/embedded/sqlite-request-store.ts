import type { Clock } from '../../core/clock.ts';
import { accounted, addCounters, type Counters } from '../../core/work/counters.ts';
import { PrewarmError } from '../../core/errors.ts';
import type { IdempotencyClaim, OperatorClaim, Provisional, RequestStore } from '../../core/ports/request-store.ts';
import {
  ACTIVE_STATUSES,
  isActive,
  isEnded,
  type Plan,
  type PopRow,
  type RequestRow,
  type RequestSpec,
  type RequestStatus,
} from '../../core/request/request.ts';
import { withoutSecrets } from '../../core/request/without-secrets.ts';
import type { Database } from './database.ts';
import { tell } from './outbox.ts';
import {
  insertPop,
  insertRequest,
  selectByStatus,
  selectPage,
  selectPopCounters,
  selectPops,
  selectRequest,
  takeUncounted,
  updatePopCounters,
} from './request-rows.ts';

type Requests = Pick<
  RequestStore,
  'create' | 'get' | 'list' | 'listActive' | 'transition' | 'saveSizing' | 'fixPlan' | 'setTimeoutAt' | 'setRequestClaim'
>;
type Tasks = Pick<RequestStore, 'listPops' | 'putTask' | 'hasTask' | 'countedTasks' | 'uncountedTasks'>;
type Figures = Pick<RequestStore, 'putProvisional' | 'listProvisional' | 'getOperatorClaim' | 'setOperatorClaim' | 'claimIdempotencyKey'>;

/**
 * The tables on SQLite, shared by several processes. Every method throws PrewarmError `storage_full` or `storage` when
 * the file fails. What `create`, `transition`, `end` and `putTask` change is told through the outbox, in the same transaction.
 */
export function createSqliteRequestStore(db: Database, clock: Clock): RequestStore {
  return {
    ...requestMethods(db, clock),
    ...taskMethods(db),
    ...figureMethods(db),
    countTasks: async (requestId, taskIds, at) => countTasks(db, requestId, taskIds, at),
    dropSecrets: async (id) => dropSecrets(db, id),
    end: async (id, status, { ifAccounted, ifTotal, stopped, statusReason, at }) =>
      db.transaction(() => {
        const row = selectRequest(db, id);
        if (row === null || !isActive(row.status) || accounted(row.counters) !== ifAccounted) return false;
        if (ifTotal !== undefined && row.totalCount !== ifTotal) return false;
        const counters = addCounters({ ...row.counters }, stoppedCounters(stopped));
        db.run(
          'UPDATE requests SET status = ?, status_reason = ?, counters = ?, ended_at = ?, updated_at = ? WHERE id = ?',
          status,
          statusReason,
          JSON.stringify(counters),
          at,
          at,
          id,
        );
        tell(db, 'request', id);
        tell(db, 'end', id);
        return true;
      }),
  };
}

function stoppedCounters(stopped: number): Counters {
  const counters: Record<string, number> = stopped === 0 ? {} : { failed: stopped, 'reason.stopped': stopped };
  return counters as Counters;
}

function countTasks(db: Database, requestId: string, taskIds: readonly string[], at: number): RequestRow | null {
  return db.transaction(() => {
    const row = selectRequest(db, requestId);
    if (row === null || isEnded(row.status)) return row;
    const tasks = takeUncounted(db, requestId, taskIds);
    if (tasks.length === 0) return row;
    const total: Record<string, number> = { ...row.counters };
    const byPop = new Map<string, Record<string, number>>();
    for (const { pop, counters } of tasks) {
      addCounters(total, counters);
      const sum = byPop.get(pop) ?? selectPopCounters(db, requestId, pop);
      if (sum === undefined) throw new PrewarmError('not_found', `request ${requestId} has a task of ${pop}, which is none of its POPs`);
      byPop.set(pop, addCounters(sum, counters));
    }
    for (const [pop, sum] of byPop) updatePopCounters(db, requestId, pop, sum);
    db.run('UPDATE requests SET counters = ?, updated_at = ? WHERE id = ?', JSON.stringify(total), at, requestId);
    return { ...row, counters: total as Counters, updatedAt: at };
  });
}

function dropSecrets(db: Database, id: string): void {
  const dropped = db.transaction(() => {
    const row = db.get<{ spec: string }>('SELECT spec FROM requests WHERE id = ? AND ended_at IS NOT NULL', id);
    const spec = row === undefined ? null : withoutSecrets(JSON.parse(row.spec) as RequestSpec);
    return spec !== null && db.run('UPDATE requests SET spec = ? WHERE id = ?', JSON.stringify(spec), id) === 1;
  });
  // The log keeps earlier copies of a page until it is written over.
  if (dropped) db.emptyLog();
}

interface Move {
  readonly from: RequestStatus;
  readonly to: RequestStatus;
  readonly at: number;
  readonly change: NonNullable<Parameters<RequestStore['transition']>[4]>;
}

function transition(db: Database, id: string, { from, to, at, change }: Move): boolean {
  return db.transaction(() => {
    const changed = db.run(
      `UPDATE requests SET status = ?, updated_at = ?, status_reason = iif(?, ?, status_reason),
         queued_at = coalesce(?, queued_at), invalidations = coalesce(?, invalidations) WHERE id = ? AND status = ?`,
      to,
      at,
      change.statusReason === undefined ? 0 : 1,
      change.statusReason ?? null,
      change.queuedAt ?? null,
      change.invalidations === undefined ? null : JSON.stringify(change.invalidations),
      id,
      from,
    );
    if (changed === 1) tell(db, 'request', id);
    return changed === 1;
  });
}

interface FixedPlan {
  readonly plan: Plan;
  readonly pops: readonly PopRow[];
  readonly at: number;
}

function fixPlan(db: Database, id: string, { plan, pops, at }: FixedPlan): Plan | null {
  return db.transaction(() => {
    const row = selectRequest(db, id);
    if (row?.status !== 'QUEUEING') return null;
    if (row.plan !== null) return row.plan;
    db.run(
      'UPDATE requests SET plan = ?, total_count = ?, total_bytes = ?, updated_at = ? WHERE id = ?',
      JSON.stringify(plan),
      plan.totalCount,
      plan.totalBytes,
      at,
      id,
    );
    for (const [position, pop] of pops.entries()) insertPop(db, pop, position);
    return plan;
  });
}

function requestMethods(db: Database, clock: Clock): Requests {
  return {
    create: async (row) =>
      db.transaction(() => {
        const inserted = insertRequest(db, row);
        if (inserted) tell(db, 'request', row.id);
        return inserted;
      }),
    get: async (id) => selectRequest(db, id),
    list: async (limit, after) => {
      const rows = selectPage(db, limit + 1, after ?? null);
      const requests = rows.slice(0, limit);
      const last = requests.at(-1);
      return { requests, next: rows.length > limit && last !== undefined ? { createdAt: last.createdAt, id: last.id } : null };
    },
    listActive: async () => selectByStatus(db, ACTIVE_STATUSES),
    transition: async (id, from, to, at, change = {}) => transition(db, id, { from, to, at, change }),
    saveSizing: async (id, expectedParts, next, at) =>
      db.run(
        `UPDATE requests SET sizing = ?, updated_at = ? WHERE id = ? AND status = 'SIZING' AND sizing ->> 'parts' = ?`,
        JSON.stringify(next),
        at,
        id,
        expectedParts,
      ) === 1,
    fixPlan: async (id, plan, pops, at) => fixPlan(db, id, { plan, pops, at }),
    setTimeoutAt: async (id, timeoutAt) =>
      updateActive(db, id, () => db.run('UPDATE requests SET timeout_at = ?, updated_at = ? WHERE id = ?', timeoutAt, clock.now(), id)),
    setRequestClaim: async (id, agents) =>
      updateActive(db, id, (row) =>
        db.run('UPDATE requests SET spec = ?, updated_at = ? WHERE id = ?', JSON.stringify({ ...row.spec, agents }), clock.now(), id),
      ),
  };
}

function updateActive(db: Database, id: string, update: (row: RequestRow) => void): boolean {
  return db.transaction(() => {
    const row = selectRequest(db, id);
    if (row === null || !isActive(row.status)) return false;
    update(row);
    return true;
  });
}

function taskMethods(db: Database): Tasks {
  return {
    listPops: async (id) => selectPops(db, id),
    putTask: async (row) =>
      db.transaction(() => {
        const inserted = db.run(
          'INSERT INTO tasks (request_id, task_id, pop, counters, recorded_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
          row.requestId,
          row.taskId,
          row.pop,
          JSON.stringify(row.counters),
          row.recordedAt,
        );
        if (inserted === 0) return false;
        tell(db, 'task', row.requestId, row.taskId);
        return true;
      }),
    hasTask: async (requestId, taskId) =>
      db.get('SELECT 1 FROM tasks WHERE request_id = ? AND task_id = ?', requestId, taskId) !== undefined,
    countedTasks: async (requestId, pop) => {
      const sql = 'SELECT task_id FROM tasks WHERE request_id = ? AND pop = ? AND counted = 1';
      return new Set(db.all<{ task_id: string }>(sql, requestId, pop).map((row) => row.task_id));
    },
    uncountedTasks: async (requestId) =>
      db.get<{ tasks: number }>('SELECT COUNT(*) AS tasks FROM tasks WHERE request_id = ? AND counted = 0', requestId)?.tasks ?? 0,
  };
}

function figureMethods(db: Database): Figures {
  return {
    putProvisional: async (row) => {
      if (row.count === 0 && (row.inFlight ?? 0) === 0) {
        db.run('DELETE FROM provisional WHERE request_id = ? AND agent_id = ?', row.requestId, row.agentId);
        return;
      }
      db.run(
        `INSERT OR REPLACE INTO provisional (request_id, agent_id, count, bytes, rate, byte_rate, in_flight, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        row.requestId,
        row.agentId,
        row.count,
        row.bytes,
        row.rate,
        row.byteRate ?? 0,
        row.inFlight ?? 0,
        row.updatedAt,
      );
    },
    listProvisional: async (requestId) =>
      db.all<Provisional>(
        `SELECT request_id AS requestId, agent_id AS agentId, count, bytes, rate, byte_rate AS byteRate, in_flight AS inFlight,
           updated_at AS updatedAt FROM provisional WHERE request_id = ? ORDER BY agent_id`,
        requestId,
      ),
    getOperatorClaim: async () => db.get<OperatorClaim>('SELECT agents, lapses_at AS lapsesAt FROM operator_claim') ?? null,
    setOperatorClaim: async (claim) => {
      if (claim === null) db.run('DELETE FROM operator_claim');
      else db.run('INSERT OR REPLACE INTO operator_claim (one, agents, lapses_at) VALUES (1, ?, ?)', claim.agents, claim.lapsesAt);
    },
    claimIdempotencyKey: async (claim, at) =>
      db.transaction(() => {
        db.run('DELETE FROM idempotency WHERE lapses_at <= ?', at);
        const first = db.get<IdempotencyClaim>(
          'SELECT key, fingerprint, request_id AS requestId, lapses_at AS lapsesAt FROM idempotency WHERE key = ?',
          claim.key,
        );
        if (first !== undefined) return first;
        const sql = 'INSERT INTO idempotency (key, fingerprint, request_id, lapses_at) VALUES (?, ?, ?, ?)';
        db.run(sql, claim.key, claim.fingerprint, claim.requestId, claim.lapsesAt);
        return claim;
      }),
  };
}
