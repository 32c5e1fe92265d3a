import { randomBytes } from 'node:crypto';
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../core/clock.ts';
import type { IdempotencyClaim, ListPosition, OperatorClaim, Provisional, RequestStore } from '../../core/ports/request-store.ts';
import { isActive, isEnded } from '../../core/request/request.ts';
import { withoutSecrets } from '../../core/request/without-secrets.ts';
import { ACTIVE_PARTITION, AGENTS_PARTITION_PREFIX, BY_CREATION, type DynamoTableNames, LISTED } from '../../deployment/tables.ts';
import {
  all,
  type Change,
  type Condition,
  createDynamoCalls,
  type DynamoCalls,
  type DynamoCallsOptions,
  equals,
  IS_ACTIVE,
  update,
} from './dynamo-calls.ts';
import { countTasks } from './count-tasks.ts';
import {
  expiresAt,
  fromItem,
  listedAt,
  planItems,
  popKeys,
  positionOf,
  readPops,
  readRequest,
  readSummary,
  requestItem,
  storedPlan,
  storedSpec,
  taskItem,
  toItem,
} from './dynamo-rows.ts';

export interface DynamoRequestStoreOptions extends DynamoCallsOptions {
  /** Tables made after `DYNAMO_TABLES`. */
  readonly tables: DynamoTableNames;
}

/**
 * The tables on DynamoDB. Every method throws a PrewarmError when DynamoDB fails for longer than retries help.
 * What `create`, `transition`, `end` and `putTask` change is told through the streams. `list` alone may be a moment behind.
 */
export function createDynamoRequestStore(options: DynamoRequestStoreOptions): RequestStore {
  const { tables, clock } = options;
  const calls = createDynamoCalls(options);
  return {
    ...readingMethods(calls, tables),
    ...requestMethods(calls, tables, clock),
    ...taskMethods(calls, tables),
    ...claimMethods(calls, tables, clock),
    countTasks: (requestId, taskIds, at) => countTasks({ calls, tables, clock }, requestId, taskIds, at),
  };
}

type Reading = Pick<RequestStore, 'get' | 'list' | 'listActive'>;

function readingMethods(calls: DynamoCalls, tables: DynamoTableNames): Reading {
  const getAll = async (doing: string, ids: readonly string[]) => {
    const found = await calls.getAll(
      doing,
      ids.map((id) => ({ table: tables.requests, key: toItem({ id }) })),
    );
    return found.map(({ item }) => readSummary(item));
  };

  return {
    get: async (id) => {
      const item = await calls.get(`reading request ${id}`, { table: tables.requests, key: toItem({ id }) });
      return item === null ? null : readRequest(item).row;
    },
    list: async (limit, after) => {
      const page = await calls.query('listing requests', pageOf(tables.requests, limit, after), limit + 1);
      const keys = page.map((item) => fromItem(item) as { id: string; listedAt: string });
      const shown = keys.slice(0, limit);
      const requests = await getAll(
        'listing requests',
        shown.map(({ id }) => id),
      );
      const last = shown.at(-1);
      return {
        requests: requests.sort((a, b) => (listedAt(a) < listedAt(b) ? 1 : -1)),
        next: keys.length > limit && last !== undefined ? positionOf(last.listedAt) : null,
      };
    },
    listActive: async () => {
      const doing = 'listing the active requests';
      const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: toItem({ ':pk': ACTIVE_PARTITION }) };
      const items = await calls.query(doing, { TableName: tables.pops, ConsistentRead: true, ...query });
      const rows = await getAll(
        doing,
        items.map((item) => (fromItem(item) as { sk: string }).sk),
      );
      return rows.filter(({ status }) => isActive(status)).sort((a, b) => (listedAt(a) < listedAt(b) ? -1 : 1));
    },
  };
}

function pageOf(table: string, limit: number, after: ListPosition | undefined) {
  const before = after === undefined ? {} : { ':before': listedAt(after) };
  return {
    TableName: table,
    IndexName: BY_CREATION,
    KeyConditionExpression: after === undefined ? 'listed = :listed' : 'listed = :listed AND listedAt < :before',
    ExpressionAttributeValues: toItem({ ':listed': LISTED, ...before }),
    ScanIndexForward: false,
    Limit: limit + 1,
  };
}

type Requests = Pick<
  RequestStore,
  'create' | 'transition' | 'saveSizing' | 'fixPlan' | 'setTimeoutAt' | 'setRequestClaim' | 'end' | 'dropSecrets'
>;

const HAS_NO_PLAN: Condition = { expression: 'attribute_not_exists(#plan)', attributes: ['plan'] };

const dropActive = (tables: DynamoTableNames, id: string): TransactWriteItem => ({
  Delete: { TableName: tables.pops, Key: toItem({ pk: ACTIVE_PARTITION, sk: id }) },
});

/**
 * Every change of a request's row is a transaction, even one of a single item: its token makes it idempotent, so that
 * false always means that somebody else was first, never that an answer was lost. There are about ten of them per request.
 */
function requestMethods(calls: DynamoCalls, tables: DynamoTableNames, clock: Clock): Requests {
  const { get } = readingMethods(calls, tables);
  const change = (id: string, what: Change, condition: Condition) => update(tables.requests, { id }, what, condition);
  const keepActive = (id: string, at: number): TransactWriteItem => ({
    Put: { TableName: tables.pops, Item: toItem({ pk: ACTIVE_PARTITION, sk: id, expiresAt: expiresAt(at) }) },
  });
  return {
    create: (row) =>
      calls.transact(`writing request ${row.id}`, [
        { Put: { TableName: tables.requests, Item: requestItem(row), ConditionExpression: 'attribute_not_exists(id)' } },
        ...(isActive(row.status) ? [keepActive(row.id, row.createdAt)] : []),
      ]),
    transition: (id, from, to, at, { statusReason, queuedAt, invalidations } = {}) => {
      const set = { status: to, updatedAt: at, statusReason, queuedAt, invalidations };
      const writes = [change(id, { set }, equals('status', from))];
      if (isActive(to) && !isActive(from)) writes.push(keepActive(id, at));
      if (isActive(from) && !isActive(to)) writes.push(dropActive(tables, id));
      return calls.transact(`moving request ${id} on to ${to}`, writes);
    },
    saveSizing: (id, expectedParts, next, at) => {
      const hasParts: Condition = {
        expression: '#sizing.#parts = :is_parts',
        attributes: ['sizing', 'parts'],
        values: { is_parts: expectedParts },
      };
      const set = { sizing: next, updatedAt: at };
      return calls.transact(`saving the sizing of request ${id}`, [change(id, { set }, all(equals('status', 'SIZING'), hasParts))]);
    },
    fixPlan: async (id, plan, pops, at) => {
      const set = { plan: storedPlan(plan), totalCount: plan.totalCount, totalBytes: plan.totalBytes, updatedAt: at };
      const puts = planItems(id, pops, at).map((item) => ({ Put: { TableName: tables.pops, Item: item } }));
      const fix = change(id, { set }, all(equals('status', 'QUEUEING'), HAS_NO_PLAN));
      if (await calls.transact(`fixing the plan of request ${id}`, [fix, ...puts])) return plan;
      const row = await get(id);
      return row?.status === 'QUEUEING' ? row.plan : null;
    },
    dropSecrets: async (id) => {
      const row = await get(id);
      const spec = row !== null && isEnded(row.status) ? withoutSecrets(row.spec) : null;
      if (row === null || spec === null) return;
      await calls.transact(`dropping the secrets of request ${id}`, [
        change(id, { set: { spec: storedSpec(spec) } }, equals('status', row.status)),
      ]);
    },
    setTimeoutAt: (id, timeoutAt) =>
      calls.transact(`setting the time-out of request ${id}`, [change(id, { set: { timeoutAt, updatedAt: clock.now() } }, IS_ACTIVE)]),
    setRequestClaim: (id, agents) =>
      calls.transact(`setting the claim of request ${id}`, [change(id, { set: { agents, updatedAt: clock.now() } }, IS_ACTIVE)]),
    end: (id, status, { ifAccounted, ifTotal, stopped, statusReason, at }) => {
      const isAsExpected = [IS_ACTIVE, equals('accounted', ifAccounted)];
      if (ifTotal !== undefined) isAsExpected.push(equals('totalCount', ifTotal));
      const paths: [string, ...string[]][] = [['counters', 'failed'], ['counters', 'reason.stopped'], ['accounted']];
      const add = stopped === 0 ? [] : paths.map((path) => ({ path, amount: stopped }));
      const set = { status, statusReason, endedAt: at, updatedAt: at };
      return calls.transact(`ending request ${id}`, [change(id, { set, add }, all(...isAsExpected)), dropActive(tables, id)]);
    },
  };
}

type Tasks = Pick<RequestStore, 'listPops' | 'putTask' | 'hasTask' | 'countedTasks' | 'uncountedTasks'>;

function taskMethods(calls: DynamoCalls, tables: DynamoTableNames): Tasks {
  const listPops = async (id: string) => {
    const startingWith = (prefix: string) =>
      calls.query(`reading the POPs of request ${id}`, {
        TableName: tables.pops,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: toItem({ ':pk': id, ':prefix': prefix }),
      });
    const [plan, sums] = await Promise.all([startingWith(popKeys.planPrefix), startingWith(popKeys.sumPrefix)]);
    return readPops(id, plan, sums);
  };
  return {
    listPops,
    putTask: async (row) => {
      const writer = randomBytes(6).toString('base64url');
      const condition = { ConditionExpression: 'attribute_not_exists(taskId)' };
      const first = await calls.put(
        `recording task ${row.taskId} of request ${row.requestId}`,
        tables.tasks,
        taskItem(row, writer),
        condition,
      );
      // The first try may have put it and its answer been lost.
      return first === null || first['writer']?.S === writer;
    },
    hasTask: async (requestId, taskId) => {
      const key = toItem({ requestId, taskId });
      return (await calls.get(`looking for task ${taskId} of request ${requestId}`, { table: tables.tasks, key })) !== null;
    },
    countedTasks: async (requestId, pop) => {
      const items = await calls.query(`reading the tasks of request ${requestId}`, {
        TableName: tables.tasks,
        ConsistentRead: true,
        KeyConditionExpression: 'requestId = :id AND begins_with(taskId, :prefix)',
        FilterExpression: 'attribute_exists(counted)',
        ProjectionExpression: 'taskId',
        ExpressionAttributeValues: toItem({ ':id': requestId, ':prefix': `${pop}#` }),
      });
      return new Set(items.map((item) => (fromItem(item) as { taskId: string }).taskId));
    },
    uncountedTasks: async (requestId) => {
      const items = await calls.query(`counting the late tasks of request ${requestId}`, {
        TableName: tables.tasks,
        ConsistentRead: true,
        KeyConditionExpression: 'requestId = :id',
        FilterExpression: 'attribute_not_exists(counted)',
        ProjectionExpression: 'taskId',
        ExpressionAttributeValues: toItem({ ':id': requestId }),
      });
      return items.length;
    },
  };
}

type Claims = Pick<RequestStore, 'putProvisional' | 'listProvisional' | 'getOperatorClaim' | 'setOperatorClaim' | 'claimIdempotencyKey'>;

const AGENT_PREFIX = 'agent#';
const agentsPartition = (requestId: string) => `${AGENTS_PARTITION_PREFIX}${requestId}`;
const CLAIM = 'claim';
const OPERATOR = toItem({ pk: 'operator', sk: CLAIM });

/** Rows of the POP table that are about agents. */
function claimMethods(calls: DynamoCalls, { pops: table }: DynamoTableNames, clock: Clock): Claims {
  return {
    putProvisional: async ({ requestId, agentId, count, bytes, rate, byteRate = 0, inFlight = 0, updatedAt }) => {
      const doing = `telling what agent ${agentId} has finished of request ${requestId}`;
      const key = toItem({ pk: agentsPartition(requestId), sk: `${AGENT_PREFIX}${agentId}` });
      if (count === 0 && inFlight === 0) await calls.remove(doing, { table, key });
      else {
        const figures = { count, bytes, rate, byteRate, inFlight, updatedAt };
        await calls.put(doing, table, { ...key, ...toItem({ ...figures, expiresAt: expiresAt(updatedAt) }) });
      }
    },
    listProvisional: async (requestId) => {
      const items = await calls.query(`reading what agents have finished of request ${requestId}`, {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: toItem({ ':pk': agentsPartition(requestId), ':prefix': AGENT_PREFIX }),
      });
      return items.map((item) => {
        const row = fromItem(item) as unknown as Provisional & { sk: string };
        // Agents of earlier versions tell neither.
        const { sk, count, bytes, rate, byteRate = 0, inFlight = 0, updatedAt } = row;
        return { requestId, agentId: sk.slice(AGENT_PREFIX.length), count, bytes, rate, byteRate, inFlight, updatedAt };
      });
    },
    getOperatorClaim: async () => {
      const item = await calls.get("reading the operator's claim", { table, key: OPERATOR });
      if (item === null) return null;
      const { agents, lapsesAt } = fromItem(item) as unknown as OperatorClaim;
      return { agents, lapsesAt };
    },
    setOperatorClaim: async (claim) => {
      const doing = "setting the operator's claim";
      if (claim === null) await calls.remove(doing, { table, key: OPERATOR });
      else await calls.put(doing, table, { ...OPERATOR, ...toItem({ ...claim, expiresAt: expiresAt(claim.lapsesAt) }) });
    },
    claimIdempotencyKey: async (claim, at) => {
      const { key, fingerprint, requestId, lapsesAt } = claim;
      const item = toItem({ pk: `idempotency#${key}`, sk: CLAIM, fingerprint, requestId, lapsesAt, expiresAt: expiresAt(clock.now()) });
      const first = await calls.put('claiming an idempotency key', table, item, {
        ConditionExpression: 'attribute_not_exists(pk) OR lapsesAt <= :at',
        ExpressionAttributeValues: toItem({ ':at': at }),
      });
      if (first === null) return claim;
      const held = fromItem(first) as unknown as IdempotencyClaim;
      return { key, fingerprint: held.fingerprint, requestId: held.requestId, lapsesAt: held.lapsesAt };
    },
  };
}
