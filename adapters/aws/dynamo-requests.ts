import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../core/clock.ts';
import { PrewarmError } from '../../core/errors.ts';
import type { RequestStore } from '../../core/ports/request-store.ts';
import { isActive } from '../../core/request.ts';
import { fromItem, toItem } from './dynamo-attributes.ts';
import type { DynamoCalls } from './dynamo-calls.ts';
import { expiresAt, listedAt, planItems, readRequest, requestItem, storedPlan } from './dynamo-rows.ts';
import { BY_CREATION, LISTED } from './dynamo-tables.ts';
import { all, type Change, type Condition, equals, IS_ACTIVE, update } from './dynamo-update.ts';

/** Names of the three tables. */
export interface DynamoTableNames {
  readonly requests: string;
  readonly pops: string;
  readonly tasks: string;
}

type Requests = Pick<
  RequestStore,
  'create' | 'get' | 'list' | 'listActive' | 'transition' | 'saveSizing' | 'fixPlan' | 'setTimeoutAt' | 'setRequestClaim' | 'end'
>;

const ACTIVE_PK = 'active';
const HAS_NO_PLAN: Condition = { expression: 'attribute_not_exists(#plan)', attributes: ['plan'] };

/**
 * Every change of a request's row is a transaction, even one of a single item: its token makes it idempotent, so that
 * false always means that somebody else was first, never that an answer was lost. There are about ten of them per request.
 */
export function requestMethods(calls: DynamoCalls, tables: DynamoTableNames, clock: Clock): Requests {
  const change = (id: string, what: Change, condition: Condition) => update(tables.requests, { id }, what, condition);
  const keepActive = (id: string, at: number): TransactWriteItem => ({
    Put: { TableName: tables.pops, Item: toItem({ pk: ACTIVE_PK, sk: id, expiresAt: expiresAt(at) }) },
  });
  const dropActive = (id: string): TransactWriteItem => ({
    Delete: { TableName: tables.pops, Key: toItem({ pk: ACTIVE_PK, sk: id }) },
  });
  const get = async (id: string) => {
    const item = await calls.get(`reading request ${id}`, { table: tables.requests, key: toItem({ id }) });
    return item === null ? null : readRequest(item).row;
  };
  const getAll = async (doing: string, ids: readonly string[]) => {
    const found = await calls.getAll(
      doing,
      ids.map((id) => ({ table: tables.requests, key: toItem({ id }) })),
    );
    return found.map(({ item }) => readRequest(item).row);
  };

  return {
    get,
    create: (row) =>
      calls.transact(`writing request ${row.id}`, [
        { Put: { TableName: tables.requests, Item: requestItem(row), ConditionExpression: 'attribute_not_exists(id)' } },
        ...(isActive(row.status) ? [keepActive(row.id, row.createdAt)] : []),
      ]),
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
      const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: toItem({ ':pk': ACTIVE_PK }) };
      const items = await calls.query(doing, { TableName: tables.pops, ConsistentRead: true, ...query });
      const rows = await getAll(
        doing,
        items.map((item) => (fromItem(item) as { sk: string }).sk),
      );
      return rows.filter(({ status }) => isActive(status)).sort((a, b) => (listedAt(a) < listedAt(b) ? -1 : 1));
    },
    transition: (id, from, to, at, { statusReason, queuedAt, invalidations } = {}) => {
      const set = { status: to, updatedAt: at, statusReason, queuedAt, invalidations };
      const writes = [change(id, { set }, equals('status', from))];
      if (isActive(to) && !isActive(from)) writes.push(keepActive(id, at));
      if (isActive(from) && !isActive(to)) writes.push(dropActive(id));
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
      return calls.transact(`ending request ${id}`, [change(id, { set, add }, all(...isAsExpected)), dropActive(id)]);
    },
  };
}

function pageOf(table: string, limit: number, after: string | undefined) {
  const before = after === undefined ? {} : { ':before': parsePosition(after) };
  return {
    TableName: table,
    IndexName: BY_CREATION,
    KeyConditionExpression: after === undefined ? 'listed = :listed' : 'listed = :listed AND listedAt < :before',
    ExpressionAttributeValues: toItem({ ':listed': LISTED, ...before }),
    ScanIndexForward: false,
    Limit: limit + 1,
  };
}

/** As every store tells it: `<createdAt>/<id>`. */
function positionOf(listed: string): string {
  const slash = listed.indexOf('/');
  return `${Number(listed.slice(0, slash))}${listed.slice(slash)}`;
}

function parsePosition(after: string): string {
  const slash = after.indexOf('/');
  const createdAt = Number(after.slice(0, slash));
  if (slash < 1 || !Number.isFinite(createdAt)) {
    throw new PrewarmError('invalid_input', `${JSON.stringify(after)} is no page of the list; take the one a list answered as next`);
  }
  return listedAt({ createdAt, id: after.slice(slash + 1) });
}
