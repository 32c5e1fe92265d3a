import { randomUUID } from 'node:crypto';
import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  type BatchGetItemCommandOutput,
  type CancellationReason,
  ConditionalCheckFailedException,
  type ConsumedCapacity,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
  QueryCommand,
  type QueryCommandInput,
  TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { type Clock, sleep } from '../../core/clock.ts';
import { PrewarmError } from '../../core/errors.ts';
import { retry, type RetryPlan } from '../../core/retry.ts';
import { type AwsCall, attempt, awsErrorName, isThrottling } from './aws-error.ts';
import { jitteredPause } from './batch-retry.ts';
import type { Item } from './dynamo-rows.ts';

const TOO_LARGE = 'with fewer POPs or headers in one request (a row has at most 400 KB)';
const CALL: AwsCall = {
  remedies: {
    ValidationException: `try again ${TOO_LARGE}`,
    TransactionCanceledException: `try again later where the reason is a conflict, and ${TOO_LARGE} where it is a ValidationError`,
  },
};

/** What a call took of a table, in request units. */
export interface Consumed {
  readonly table: string;
  readonly kind: 'read' | 'write';
  readonly units: number;
}

export interface DynamoCallsOptions {
  readonly client: DynamoDBClient;
  readonly clock: Clock;
  /** Told the units of every call that succeeds, as DynamoDB answers them; for benchmarks. */
  readonly onConsumed?: (consumed: Consumed) => void;
}

/** Absent: put in any case. */
type PutCondition = Pick<PutItemCommandInput, 'ConditionExpression' | 'ExpressionAttributeValues'>;

/**
 * DynamoDB's calls, each idempotent: throttling, conflicts and lost answers are retried here with pauses, keys left over
 * by batches too. `doing` says in errors what was being done.
 */
export interface DynamoCalls {
  get(doing: string, at: KeyOf): Promise<Item | null>;
  /** Those of the items that are there, in no order. */
  getAll(doing: string, keys: readonly KeyOf[]): Promise<readonly Found[]>;
  /** All pages, or the first `max` items. */
  query(doing: string, input: QueryCommandInput, max?: number): Promise<readonly Item[]>;
  /** Null: the item was put. Otherwise the one is answered that made the condition fail. */
  put(doing: string, table: string, item: Item, condition?: PutCondition): Promise<Item | null>;
  remove(doing: string, at: KeyOf): Promise<void>;
  /** All of the writes; or none, and false, when a condition did not hold. At most 100. */
  transact(doing: string, writes: readonly TransactWriteItem[]): Promise<boolean>;
}

/** What every call is sent by. */
interface Line {
  readonly client: DynamoDBClient;
  readonly clock: Clock;
  readonly capacity: { readonly ReturnConsumedCapacity?: 'TOTAL' };
  readonly tell: (kind: Consumed['kind'], consumed: ConsumedCapacity | readonly ConsumedCapacity[] | undefined) => void;
}

export function createDynamoCalls({ client, clock, onConsumed }: DynamoCallsOptions): DynamoCalls {
  const capacity = onConsumed === undefined ? {} : { ReturnConsumedCapacity: 'TOTAL' as const };
  const tell: Line['tell'] = (kind, consumed = []) => {
    for (const { TableName: table = '', CapacityUnits: units = 0 } of [consumed].flat()) onConsumed?.({ table, kind, units });
  };
  const line: Line = { client, clock, capacity, tell };
  const call = <T>(doing: string, action: () => Promise<T>) => attempt(doing, () => retrying(clock, action), CALL);
  return {
    get: (doing, { table, key }) =>
      call(doing, async () => {
        const answer = await client.send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true, ...capacity }));
        tell('read', answer.ConsumedCapacity);
        return answer.Item ?? null;
      }),
    getAll: (doing, keys) =>
      attempt(doing, () => getAll(client, clock, keys, { capacity, tell: (consumed) => tell('read', consumed) }), CALL),
    query: (doing, input, max = Number.POSITIVE_INFINITY) => attempt(doing, () => queryPages(line, input, max), CALL),
    put: (doing, table, item, condition = {}) => attempt(doing, () => put(line, { TableName: table, Item: item, ...condition }), CALL),
    remove: (doing, { table, key }) =>
      call(doing, async () => {
        const answer = await client.send(new DeleteItemCommand({ TableName: table, Key: key, ...capacity }));
        tell('write', answer.ConsumedCapacity);
      }),
    transact: (doing, writes) => attempt(doing, () => transact(line, writes), CALL),
  };
}

async function queryPages({ client, clock, capacity, tell }: Line, input: QueryCommandInput, max: number): Promise<readonly Item[]> {
  const items: Item[] = [];
  let from: Item | undefined;
  do {
    const start = from === undefined ? {} : { ExclusiveStartKey: from };
    const page = await retrying(clock, () => client.send(new QueryCommand({ ...input, ...start, ...capacity })));
    tell('read', page.ConsumedCapacity);
    items.push(...(page.Items ?? []));
    from = page.LastEvaluatedKey;
  } while (from !== undefined && items.length < max);
  return items.slice(0, max);
}

async function put({ client, clock, capacity, tell }: Line, input: PutItemCommandInput): Promise<Item | null> {
  const command = () => new PutItemCommand({ ...input, ReturnValuesOnConditionCheckFailure: 'ALL_OLD', ...capacity });
  try {
    const answer = await retrying(clock, () => client.send(command()));
    tell('write', answer.ConsumedCapacity);
    return null;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException && error.Item !== undefined) return error.Item;
    throw error;
  }
}

async function transact({ client, clock, capacity, tell }: Line, writes: readonly TransactWriteItem[]): Promise<boolean> {
  // One token for all tries: a transaction that happened, and whose answer was lost, answers the same again.
  const ClientRequestToken = randomUUID();
  const command = () => new TransactWriteItemsCommand({ TransactItems: [...writes], ClientRequestToken, ...capacity });
  try {
    const answer = await retrying(clock, () => client.send(command()));
    tell('write', answer.ConsumedCapacity);
    return true;
  } catch (error) {
    if (isConditionFailure(error)) return false;
    throw error;
  }
}

const BATCH_KEYS = 100;

export interface KeyOf {
  readonly table: string;
  readonly key: Item;
}

interface Found {
  readonly table: string;
  readonly item: Item;
}

interface Accounting {
  readonly capacity: { readonly ReturnConsumedCapacity?: 'TOTAL' };
  readonly tell: (consumed: BatchGetItemCommandOutput['ConsumedCapacity']) => void;
}

type Request = NonNullable<BatchGetItemCommandInput['RequestItems']>;

/** Reads the items of distinct keys, strongly consistent, each by itself. Those that are not there are left out. */
async function getAll(client: DynamoDBClient, clock: Clock, keys: readonly KeyOf[], { capacity, tell }: Accounting): Promise<Found[]> {
  const ask = async (request: Request) => {
    const answer = await retrying(clock, () => client.send(new BatchGetItemCommand({ RequestItems: request, ...capacity })));
    tell(answer.ConsumedCapacity);
    return answer;
  };
  const batches: Promise<Found[]>[] = [];
  for (let at = 0; at < keys.length; at += BATCH_KEYS) batches.push(getBatch(clock, ask, keys.slice(at, at + BATCH_KEYS)));
  return (await Promise.all(batches)).flat();
}

/** A batch answers what it could read (at most 16 MB, less when throttled), so it is asked for the rest until there is none. */
async function getBatch(
  clock: Clock,
  ask: (request: Request) => Promise<BatchGetItemCommandOutput>,
  keys: readonly KeyOf[],
): Promise<Found[]> {
  let request: Request = {};
  for (const [table, ofTable] of Map.groupBy(keys, (each) => each.table)) {
    request[table] = { Keys: ofTable.map(({ key }) => key), ConsistentRead: true };
  }
  const found: Found[] = [];
  for (let fruitless = 0; fruitless < MAX_TRIES; ) {
    const { Responses: responses = {}, UnprocessedKeys: left = {} } = await ask(request);
    const items = Object.entries(responses).flatMap(([table, each]) => each.map((item) => ({ table, item })));
    found.push(...items);
    if (Object.keys(left).length === 0) return found;
    request = left;
    fruitless = items.length > 0 ? 0 : fruitless + 1;
    await sleep(clock, jitteredPause(fruitless + 1, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
  }
  throw new PrewarmError('throttled', `DynamoDB left all of ${keys.length} rows unread, time and again; try again in a minute`);
}

/**
 * Around the SDK's own tries, which know neither conflicts of transactions nor items left over. With these pauses between
 * 4 and 7 seconds in all: a transaction whose answer was lost may be in progress for 5.
 */
const MAX_TRIES = 12;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1000;

const PASSING: ReadonlySet<string> = new Set([
  'InternalServerError',
  'ReplicatedWriteConflictException',
  'TimeoutError',
  'TransactionConflictException',
  'TransactionInProgressException',
]);
const PASSING_REASONS: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceeded',
  'ThrottlingError',
  'TransactionConflict',
  'RequestLimitExceeded',
]);
const PASSING_SOCKET_ERROR = /^(ECONN|EPIPE|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/;

function reasonsOf(error: TransactionCanceledException): readonly CancellationReason[] {
  return (error.CancellationReasons ?? []).filter(({ Code: code }) => code !== undefined && code !== 'None');
}

/** Whether a condition did not hold: an answer, not a failure. */
function isConditionFailure(error: unknown): error is ConditionalCheckFailedException | TransactionCanceledException {
  if (error instanceof ConditionalCheckFailedException) return true;
  return error instanceof TransactionCanceledException && reasonsOf(error).some(({ Code: code }) => code === 'ConditionalCheckFailed');
}

/** Whether the same call, idempotent as it is, may succeed in a moment. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof TransactionCanceledException) {
    const reasons = reasonsOf(error);
    return reasons.length > 0 && reasons.every(({ Code: code = '' }) => PASSING_REASONS.has(code));
  }
  if (isThrottling(error) || PASSING.has(awsErrorName(error))) return true;
  const { code, $metadata } = error as { code?: unknown; $metadata?: { httpStatusCode?: number } };
  return ($metadata?.httpStatusCode ?? 0) >= 500 || PASSING_SOCKET_ERROR.test(String(code));
}

const PLAN: RetryPlan = {
  tries: MAX_TRIES,
  pauseMs: (tried) => jitteredPause(tried, FIRST_PAUSE_MS, LONGEST_PAUSE_MS),
  mayPass: isPassing,
};

/** Runs an idempotent call until it succeeds, or fails with something that does not pass, or for the last time. */
function retrying<T>(clock: Clock, action: () => Promise<T>): Promise<T> {
  return retry(clock, PLAN, action);
}
