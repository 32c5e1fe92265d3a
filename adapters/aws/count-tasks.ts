import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { type Clock, sleep } from '../../core/clock.ts';
import { accounted, addCounters, type Counters, NO_COUNTERS } from '../../core/work/counters.ts';
import { PrewarmError } from '../../core/errors.ts';
import { countersFromMetadata } from '../../core/work/record-task.ts';
import { isEnded, type RequestRow } from '../../core/request/request.ts';
import { jitteredPause } from './send-batch.ts';
import { all, type DynamoCalls, equals, HAS_NOT_ENDED, type KeyOf, update } from './dynamo-calls.ts';
import {
  fromItem,
  type KeptRequest,
  popKeys,
  type PopSum,
  popSumItem,
  readPopSum,
  readRequest,
  storedCounters,
  toItem,
} from './dynamo-rows.ts';
import type { DynamoTableNames } from '../../deployment/tables.ts';

/** Items of a DynamoDB transaction, and of one read. */
const MAX_ITEMS = 100;
/** Some room is left for POPs, and a lost race repeats less. */
const TASKS_AT_ONCE = 80;
/** Each lost race is somebody else's progress; together about 7 seconds. */
const MAX_RACES = 60;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 150;

interface RecordedTask {
  readonly taskId: string;
  readonly pop: string;
  readonly counters: Counters;
}

/** All that one count rests on. Each item carries what tells whether it has changed, so they need not be read at one moment. */
interface Snapshot {
  readonly request: KeptRequest | null;
  /** Those that are recorded and not counted, in order of their ids. */
  readonly tasks: readonly RecordedTask[];
  readonly sums: ReadonlyMap<string, PopSum>;
}

const popOf = (taskId: string) => taskId.slice(0, taskId.indexOf('#'));

type Counting = { readonly calls: DynamoCalls; readonly tables: DynamoTableNames; readonly clock: Clock };

/** As `RequestStore.countTasks`. */
export async function countTasks(
  counting: Counting,
  requestId: string,
  taskIds: readonly string[],
  at: number,
): Promise<RequestRow | null> {
  let row: RequestRow | null = null;
  for (const ids of inTransactions(taskIds)) row = await countSome(counting, requestId, ids, at);
  return row;
}

/** Sorted, since ids begin with their POP, so that a transaction touches few POP rows: it has an item for each task, each POP and the request. */
function* inTransactions(taskIds: readonly string[]): Generator<string[]> {
  let ids: string[] = [];
  let pops = new Set<string>();
  for (const id of [...new Set(taskIds)].sort()) {
    const items = ids.length + pops.size + (pops.has(popOf(id)) ? 1 : 2);
    if (ids.length === TASKS_AT_ONCE || items + 1 > MAX_ITEMS) {
      yield ids;
      ids = [];
      pops = new Set();
    }
    ids.push(id);
    pops.add(popOf(id));
  }
  if (ids.length > 0) yield ids;
}

/**
 * Counts what is read here, under the condition that it is still so: the sums are written as they will be, since adding
 * them in place, key by key, takes more operators (300) and text (4 KB) than an expression may have. A lost race reads again.
 */
async function countSome(
  { calls, tables, clock }: Counting,
  requestId: string,
  ids: readonly string[],
  at: number,
): Promise<RequestRow | null> {
  const doing = `counting ${ids.length} tasks of request ${requestId}`;
  for (let races = 0; races < MAX_RACES; ) {
    const { request, tasks, sums } = await read(calls, tables, doing, requestId, ids);
    if (request === null || isEnded(request.row.status) || tasks.length === 0) return request?.row ?? null;
    const share = oneTransaction(tasks);
    const row: RequestRow = { ...request.row, counters: sumOf(request.row.counters, share), updatedAt: at };
    if (await calls.transact(doing, writesOf(tables, request, row, share, sums))) {
      if (share.length === tasks.length) return row;
    } else {
      races += 1;
      await sleep(clock, jitteredPause(races, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
    }
  }
  throw new PrewarmError('storage', `${doing}: others kept counting at the same time; try again`);
}

async function read(
  calls: DynamoCalls,
  tables: DynamoTableNames,
  doing: string,
  requestId: string,
  taskIds: readonly string[],
): Promise<Snapshot> {
  const keys: KeyOf[] = [{ table: tables.requests, key: toItem({ id: requestId }) }];
  for (const pop of new Set(taskIds.map(popOf))) keys.push({ table: tables.pops, key: popKeys.sum(requestId, pop) });
  for (const taskId of taskIds) keys.push({ table: tables.tasks, key: toItem({ requestId, taskId }) });
  const found = await calls.getAll(doing, keys);
  const items = (name: string) => found.filter(({ table }) => table === name).map(({ item }) => item);
  const [request] = items(tables.requests).map(readRequest);
  const tasks: RecordedTask[] = [];
  for (const item of items(tables.tasks)) {
    const { taskId, pop, counters, counted } = fromItem(item) as { taskId: string; pop: string; counters: string; counted?: true };
    if (counted === undefined) tasks.push({ taskId, pop, counters: countersFromMetadata({ counters }) });
  }
  return {
    request: request ?? null,
    tasks: tasks.sort((a, b) => (a.taskId < b.taskId ? -1 : 1)),
    sums: new Map(items(tables.pops).map((item) => [readPopSum(item).pop, readPopSum(item)])),
  };
}

/** As many of the tasks as fit into one transaction, with their POPs and the request. */
function oneTransaction(tasks: readonly RecordedTask[]): readonly RecordedTask[] {
  const pops = new Set<string>();
  for (const [at, { pop }] of tasks.entries()) {
    pops.add(pop);
    if (at + 1 + pops.size + 1 > MAX_ITEMS) return tasks.slice(0, at);
  }
  return tasks;
}

function sumOf(counters: Counters, tasks: readonly RecordedTask[]): Counters {
  const sum = { ...counters };
  for (const task of tasks) addCounters(sum, task.counters);
  return sum;
}

function writesOf(
  tables: DynamoTableNames,
  request: KeptRequest,
  row: RequestRow,
  tasks: readonly RecordedTask[],
  sums: ReadonlyMap<string, PopSum>,
): TransactWriteItem[] {
  const { id: requestId, counters, updatedAt } = row;
  const set = {
    counters: storedCounters(counters),
    accounted: accounted(counters),
    countedTasks: request.countedTasks + tasks.length,
    updatedAt,
  };
  const unchanged = all(HAS_NOT_ENDED, equals('countedTasks', request.countedTasks));
  const writes = [update(tables.requests, { id: requestId }, { set }, unchanged)];
  const notCounted = {
    expression: 'attribute_exists(#taskId) AND attribute_not_exists(#counted)',
    attributes: ['taskId', 'counted'],
  };
  for (const { taskId } of tasks) writes.push(update(tables.tasks, { requestId, taskId }, { set: { counted: true } }, notCounted));
  for (const [pop, ofPop] of Map.groupBy(tasks, (task) => task.pop)) {
    if (request.row.plan?.pops.includes(pop) !== true) {
      throw new PrewarmError('not_found', `request ${requestId} has a task of ${pop}, which is none of its POPs`);
    }
    writes.push(putSum(tables.pops, request, pop, ofPop, sums.get(pop)));
  }
  return writes;
}

function putSum(
  table: string,
  { row: { id, createdAt } }: KeptRequest,
  pop: string,
  tasks: readonly RecordedTask[],
  before: PopSum | undefined,
): TransactWriteItem {
  const { counters, countedTasks } = before ?? { counters: NO_COUNTERS, countedTasks: 0 };
  const sum = { pop, counters: sumOf(counters, tasks), countedTasks: countedTasks + tasks.length };
  const Item = popSumItem(id, sum, createdAt);
  if (before === undefined) return { Put: { TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' } };
  const ConditionExpression = 'countedTasks = :before';
  return { Put: { TableName: table, Item, ConditionExpression, ExpressionAttributeValues: toItem({ ':before': countedTasks }) } };
}
