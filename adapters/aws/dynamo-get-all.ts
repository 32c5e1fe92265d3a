import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  type BatchGetItemCommandOutput,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { type Clock, sleep } from '../../core/clock.ts';
import { PrewarmError } from '../../core/errors.ts';
import { jitteredPause } from './batch-retry.ts';
import type { Item } from './dynamo-attributes.ts';
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS, MAX_TRIES, retrying } from './dynamo-retry.ts';

const BATCH_KEYS = 100;

export interface KeyOf {
  readonly table: string;
  readonly key: Item;
}

export interface Found {
  readonly table: string;
  readonly item: Item;
}

interface Accounting {
  readonly capacity: { readonly ReturnConsumedCapacity?: 'TOTAL' };
  readonly tell: (consumed: BatchGetItemCommandOutput['ConsumedCapacity']) => void;
}

type Request = NonNullable<BatchGetItemCommandInput['RequestItems']>;

/** Reads the items of distinct keys, strongly consistent, each by itself. Those that are not there are left out. */
export async function getAll(
  client: DynamoDBClient,
  clock: Clock,
  keys: readonly KeyOf[],
  { capacity, tell }: Accounting,
): Promise<Found[]> {
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
  throw new PrewarmError('storage', `DynamoDB left all of ${keys.length} rows unread, time and again; try again in a minute`);
}
