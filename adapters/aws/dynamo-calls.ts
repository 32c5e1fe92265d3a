import { randomUUID } from 'node:crypto';
import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  type BatchGetItemCommandOutput,
  type CancellationReason,
  ConditionalCheckFailedException,
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
  type Update,
} from '@aws-sdk/client-dynamodb';
import { type Clock, sleep } from '../../core/clock.ts';
import { PrewarmError } from '../../core/errors.ts';
import { retry, type RetryPlan } from '../../core/retry.ts';
import { attempt, type AwsCall, awsErrorName, isPassing } from './aws-error.ts';
import { jitteredPause } from './send-batch.ts';
import { type Item, toAttribute, toItem } from './dynamo-rows.ts';
import { ACTIVE_STATUSES, isEnded, REQUEST_STATUSES } from '../../core/request/request.ts';

const TOO_LARGE = 'with fewer POPs or headers in one request (a row has at most 400 KB)';
const CALL: AwsCall = {
  remedies: {
    ValidationException: `try again ${TOO_LARGE}`,
    TransactionCanceledException: `try again later where the reason is a conflict, and ${TOO_LARGE} where it is a ValidationError`,
  },
};

export interface DynamoCallsOptions {
  readonly client: DynamoDBClient;
  readonly clock: Clock;
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

export function createDynamoCalls({ client, clock }: DynamoCallsOptions): DynamoCalls {
  const call = <T>(doing: string, action: () => Promise<T>) => attempt(doing, () => retrying(clock, action), CALL);
  return {
    get: (doing, { table, key }) =>
      call(doing, async () => {
        const answer = await client.send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }));
        return answer.Item ?? null;
      }),
    getAll: (doing, keys) => attempt(doing, () => getAll(client, clock, keys), CALL),
    query: (doing, input, max = Number.POSITIVE_INFINITY) => attempt(doing, () => queryPages(client, clock, input, max), CALL),
    put: (doing, table, item, condition = {}) =>
      attempt(doing, () => put(client, clock, { TableName: table, Item: item, ...condition }), CALL),
    remove: (doing, { table, key }) =>
      call(doing, async () => {
        await client.send(new DeleteItemCommand({ TableName: table, Key: key }));
      }),
    transact: (doing, writes) => attempt(doing, () => transact(client, clock, writes), CALL),
  };
}

async function queryPages(client: DynamoDBClient, clock: Clock, input: QueryCommandInput, max: number): Promise<readonly Item[]> {
  const items: Item[] = [];
  let from: Item | undefined;
  do {
    const start = from === undefined ? {} : { ExclusiveStartKey: from };
    const page = await retrying(clock, () => client.send(new QueryCommand({ ...input, ...start })));
    items.push(...(page.Items ?? []));
    from = page.LastEvaluatedKey;
  } while (from !== undefined && items.length < max);
  return items.slice(0, max);
}

async function put(client: DynamoDBClient, clock: Clock, input: PutItemCommandInput): Promise<Item | null> {
  const command = () => new PutItemCommand({ ...input, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' });
  try {
    await retrying(clock, () => client.send(command()));
    return null;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException && error.Item !== undefined) return error.Item;
    throw error;
  }
}

async function transact(client: DynamoDBClient, clock: Clock, writes: readonly TransactWriteItem[]): Promise<boolean> {
  // One token for all tries: a transaction that happened, and whose answer was lost, answers the same again.
  const ClientRequestToken = randomUUID();
  const command = () => new TransactWriteItemsCommand({ TransactItems: [...writes], ClientRequestToken });
  try {
    await retrying(clock, () => client.send(command()));
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

type Request = NonNullable<BatchGetItemCommandInput['RequestItems']>;

/** Reads the items of distinct keys, strongly consistent, each by itself. Those that are not there are left out. */
async function getAll(client: DynamoDBClient, clock: Clock, keys: readonly KeyOf[]): Promise<Found[]> {
  const ask = (request: Request) => retrying(clock, () => client.send(new BatchGetItemCommand({ RequestItems: request })));
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

/** Beside what passes at every service. */
const CONFLICTS: ReadonlySet<string> = new Set([
  'InternalServerError',
  'ReplicatedWriteConflictException',
  'TransactionConflictException',
  'TransactionInProgressException',
]);
const PASSING_REASONS: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceeded',
  'ThrottlingError',
  'TransactionConflict',
  'RequestLimitExceeded',
]);
function reasonsOf(error: TransactionCanceledException): readonly CancellationReason[] {
  return (error.CancellationReasons ?? []).filter(({ Code: code }) => code !== undefined && code !== 'None');
}

/** Whether a condition did not hold: an answer, not a failure. */
function isConditionFailure(error: unknown): error is ConditionalCheckFailedException | TransactionCanceledException {
  if (error instanceof ConditionalCheckFailedException) return true;
  return error instanceof TransactionCanceledException && reasonsOf(error).some(({ Code: code }) => code === 'ConditionalCheckFailed');
}

/** Whether the same call, idempotent as it is, may succeed in a moment. */
function mayPass(error: unknown): boolean {
  if (error instanceof TransactionCanceledException) {
    const reasons = reasonsOf(error);
    return reasons.length > 0 && reasons.every(({ Code: code = '' }) => PASSING_REASONS.has(code));
  }
  return isPassing(error) || CONFLICTS.has(awsErrorName(error));
}

const PLAN: RetryPlan = {
  tries: MAX_TRIES,
  pauseMs: (tried) => jitteredPause(tried, FIRST_PAUSE_MS, LONGEST_PAUSE_MS),
  mayPass,
};

/** Runs an idempotent call until it succeeds, or fails with something that does not pass, or for the last time. */
function retrying<T>(clock: Clock, action: () => Promise<T>): Promise<T> {
  return retry(clock, PLAN, action);
}

/** A condition, with `#name` for each attribute and `:name` for each value of its own. */
export interface Condition {
  readonly expression: string;
  readonly attributes: readonly string[];
  readonly values?: Readonly<Record<string, unknown>>;
}

const named = (statuses: readonly string[], name: string) =>
  Object.fromEntries(statuses.map((status, at): [string, string] => [`${name}${at}`, status]));
const active = named(ACTIVE_STATUSES, 'active');
const ended = named(REQUEST_STATUSES.filter(isEnded), 'ended');
const placeholders = (values: object) =>
  Object.keys(values)
    .map((name) => `:${name}`)
    .join(', ');

export const IS_ACTIVE: Condition = { expression: `#status IN (${placeholders(active)})`, attributes: ['status'], values: active };
export const HAS_NOT_ENDED: Condition = {
  expression: `NOT (#status IN (${placeholders(ended)}))`,
  attributes: ['status'],
  values: ended,
};

export function all(...conditions: readonly Condition[]): Condition {
  return {
    expression: conditions.map(({ expression }) => expression).join(' AND '),
    attributes: conditions.flatMap(({ attributes }) => attributes),
    values: Object.assign({}, ...conditions.map(({ values }) => values)) as Record<string, unknown>,
  };
}

export function equals(attribute: string, value: unknown): Condition {
  return { expression: `#${attribute} = :is_${attribute}`, attributes: [attribute], values: { [`is_${attribute}`]: value } };
}

/** What to change: attributes to set, null to remove, undefined to leave; and what to add to numbers. */
export interface Change {
  readonly set: Readonly<Record<string, unknown>>;
  /** By path; a number that is not there is 0. */
  readonly add?: readonly { readonly path: readonly [string, ...string[]]; readonly amount: number }[];
}

function updateOf(table: string, key: Item, { set, add = [] }: Change, condition: Condition): Update {
  const names: Record<string, string> = Object.fromEntries(condition.attributes.map((name) => [`#${name}`, name]));
  const values: Record<string, unknown> = { ...condition.values };
  const sets: string[] = [];
  const removes: string[] = [];
  for (const [name, value] of Object.entries(set)) {
    if (value === undefined) continue;
    names[`#${name}`] = name;
    if (value === null) removes.push(`#${name}`);
    else {
      sets.push(`#${name} = :${name}`);
      values[name] = value;
    }
  }
  for (const [at, { path, amount }] of add.entries()) {
    const target = path.map((name, depth) => {
      names[`#add${at}_${depth}`] = name;
      return `#add${at}_${depth}`;
    });
    values[`add${at}`] = amount;
    values['zero'] = 0;
    sets.push(`${target.join('.')} = if_not_exists(${target.join('.')}, :zero) + :add${at}`);
  }
  const clauses = [sets.length > 0 ? `SET ${sets.join(', ')}` : '', removes.length > 0 ? `REMOVE ${removes.join(', ')}` : ''];
  return {
    TableName: table,
    Key: key,
    UpdateExpression: clauses.join(' ').trim(),
    ConditionExpression: condition.expression,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, toAttribute(value)])),
  };
}

export function update(table: string, key: Readonly<Record<string, string>>, change: Change, condition: Condition): TransactWriteItem {
  return { Update: updateOf(table, toItem(key), change, condition) };
}
