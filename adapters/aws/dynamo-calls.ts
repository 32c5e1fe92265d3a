import { randomUUID } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  type ConsumedCapacity,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
  QueryCommand,
  type QueryCommandInput,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../../core/clock.ts';
import { type AwsCall, attempt } from './aws-error.ts';
import type { Item } from './dynamo-attributes.ts';
import { type Found, getAll, type KeyOf } from './dynamo-get-all.ts';
import { isConditionFailure, retrying } from './dynamo-retry.ts';

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
 * by batches too. `doing` says in errors (PrewarmError `storage`) what was being done.
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
