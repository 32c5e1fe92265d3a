import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../core/clock.ts';
import type { RequestStore } from '../../core/ports/request-store.ts';
import { isActive, isEnded } from '../../core/request/request.ts';
import { withoutSecrets } from '../../core/request/without-secrets.ts';
import { toItem } from './dynamo-attributes.ts';
import type { DynamoCalls } from './dynamo-calls.ts';
import { readingMethods } from './dynamo-reading.ts';
import { expiresAt, planItems, requestItem, storedPlan, storedSpec } from './dynamo-rows.ts';
import { ACTIVE_PARTITION, type DynamoTableNames } from '../../deployment/tables.ts';
import { all, type Change, type Condition, equals, IS_ACTIVE, update } from './dynamo-update.ts';

type Requests = Pick<
  RequestStore,
  'create' | 'transition' | 'saveSizing' | 'fixPlan' | 'setTimeoutAt' | 'setRequestClaim' | 'end' | 'dropSecrets'
>;

const HAS_NO_PLAN: Condition = { expression: 'attribute_not_exists(#plan)', attributes: ['plan'] };

/**
 * Every change of a request's row is a transaction, even one of a single item: its token makes it idempotent, so that
 * false always means that somebody else was first, never that an answer was lost. There are about ten of them per request.
 */
export function requestMethods(calls: DynamoCalls, tables: DynamoTableNames, clock: Clock): Requests {
  const { get } = readingMethods(calls, tables);
  const change = (id: string, what: Change, condition: Condition) => update(tables.requests, { id }, what, condition);
  const keepActive = (id: string, at: number): TransactWriteItem => ({
    Put: { TableName: tables.pops, Item: toItem({ pk: ACTIVE_PARTITION, sk: id, expiresAt: expiresAt(at) }) },
  });
  const dropActive = (id: string): TransactWriteItem => ({
    Delete: { TableName: tables.pops, Key: toItem({ pk: ACTIVE_PARTITION, sk: id }) },
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
      return calls.transact(`ending request ${id}`, [change(id, { set, add }, all(...isAsExpected)), dropActive(id)]);
    },
  };
}
