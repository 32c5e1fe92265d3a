import { randomBytes } from 'node:crypto';
import type { RequestStore } from '../../core/ports/request-store.ts';
import { countersToMetadata } from '../../core/work/record-task.ts';
import type { TaskRow } from '../../core/work/task.ts';
import { fromItem, type Item, toItem } from './dynamo-attributes.ts';
import type { DynamoCalls } from './dynamo-calls.ts';
import { expiresAt, popKeys, readPops, readRequest } from './dynamo-rows.ts';
import type { DynamoTableNames } from '../../deployment/tables.ts';

type Tasks = Pick<RequestStore, 'listPops' | 'getPop' | 'putTask' | 'hasTask' | 'countedTasks' | 'recordedTasks' | 'uncountedTasks'>;

export function taskMethods(calls: DynamoCalls, tables: DynamoTableNames): Tasks {
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
    getPop: async (id, pop) => (await listPops(id)).find((row) => row.pop === pop) ?? null,
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
    recordedTasks: async (requestId) => {
      const item = await calls.get(`reading request ${requestId}`, { table: tables.requests, key: toItem({ id: requestId }) });
      return item === null ? 0 : readRequest(item).countedTasks;
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

/**
 * Under 1 KB, which is what one write unit pays: about 900 bytes with counters in 64 buckets before and after.
 * `writer` tells a row of one's own from another's.
 */
function taskItem({ requestId, taskId, pop, counters, recordedAt }: TaskRow, writer: string): Item {
  return toItem({ requestId, taskId, pop, ...countersToMetadata(counters), recordedAt, writer, expiresAt: expiresAt(recordedAt) });
}
