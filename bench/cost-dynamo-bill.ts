import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { itemBytes, readUnits, type StoredItem, writeUnits } from './cost-dynamo-units.ts';
import type { Usage } from './cost-usage.ts';

/** One call of DynamoDB, as it went over the wire. */
export interface DynamoCall {
  readonly operation: string;
  readonly request: DynamoRequest;
  readonly status: number;
  readonly answer: DynamoAnswer;
}

interface TableKey {
  readonly TableName: string;
  readonly Key: StoredItem;
}

type Write = TableKey & { readonly Item?: StoredItem };

interface DynamoRequest {
  readonly TableName?: string;
  readonly IndexName?: string;
  readonly ConsistentRead?: boolean;
  readonly FilterExpression?: string;
  readonly ProjectionExpression?: string;
  readonly Item?: StoredItem;
  readonly RequestItems?: Readonly<Record<string, { readonly Keys: readonly StoredItem[]; readonly ConsistentRead?: boolean }>>;
  readonly TransactItems?: readonly Readonly<Record<string, Write>>[];
}

interface Consumed {
  readonly CapacityUnits?: number;
}

interface DynamoAnswer {
  readonly Item?: StoredItem;
  readonly Items?: readonly StoredItem[];
  readonly Responses?: Readonly<Record<string, readonly StoredItem[]>>;
  readonly ConsumedCapacity?: Consumed | readonly Consumed[];
}

/** Asks the account itself, unbilled. */
export type AskDynamo = (operation: string, request: object) => Promise<DynamoAnswer>;

/** Their units are the account's own answer. */
const WRITES: ReadonlySet<string> = new Set(['PutItem', 'UpdateItem', 'DeleteItem', 'TransactWriteItems']);

export function isWrite(operation: string): boolean {
  return WRITES.has(operation);
}

const sizesOf = (items: readonly StoredItem[]) => items.map(itemBytes);

/**
 * The units of a call. Writes that succeed are what the emulator reports, sizes and indexes included. It reports reads by a
 * flat rate and failed writes not at all, so those are worked out here, from the items themselves.
 */
export async function billDynamo(call: DynamoCall, ask: AskDynamo): Promise<Partial<Usage>> {
  const { operation, request, status, answer } = call;
  if (isWrite(operation)) {
    if (status === 200) {
      const units = [answer.ConsumedCapacity ?? []].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0);
      if (units === 0) throw new Error(`the emulator told no units of ${operation}`);
      return { dynamoWrites: units };
    }
    return { dynamoWrites: await failedWriteUnits(call, ask) };
  }
  if (status !== 200) return {};
  const isConsistent = request.ConsistentRead ?? false;
  if (operation === 'GetItem') return { dynamoReads: readUnits(answer.Item === undefined ? 0 : itemBytes(answer.Item), isConsistent) };
  if (operation === 'BatchGetItem') return { dynamoReads: batchUnits(call) };
  if (operation === 'Query') return { dynamoReads: readUnits(await queriedBytes(call, ask), isConsistent) };
  throw new Error(`it is not known what ${operation} costs`);
}

/** A condition that does not hold is paid like the write. */
async function failedWriteUnits({ request, answer }: DynamoCall, ask: AskDynamo): Promise<number> {
  if (request.TransactItems === undefined) {
    return writeUnits(Math.max(0, ...sizesOf([request.Item, answer.Item].filter((item) => item !== undefined))));
  }
  let units = 0;
  for (const { TableName, Key, Item } of request.TransactItems.flatMap((item) => Object.values(item))) {
    const stored = Item ?? (await ask('GetItem', { TableName, Key, ConsistentRead: true })).Item;
    units += 2 * writeUnits(stored === undefined ? 0 : itemBytes(stored));
  }
  return units;
}

/** Each item by itself; those that are not there take one unit too. */
function batchUnits({ request, answer }: DynamoCall): number {
  let units = 0;
  for (const [table, { Keys, ConsistentRead = false }] of Object.entries(request.RequestItems ?? {})) {
    const found = sizesOf(answer.Responses?.[table] ?? []);
    const missing = Array<number>(Keys.length - found.length).fill(0);
    for (const bytes of [...found, ...missing]) units += readUnits(bytes, ConsistentRead);
  }
  return units;
}

/** All that was read is paid, whatever a filter or a projection leaves of it. */
async function queriedBytes({ request, answer }: DynamoCall, ask: AskDynamo): Promise<number> {
  const { FilterExpression, ProjectionExpression, ...whole } = request;
  const isWhole = FilterExpression === undefined && ProjectionExpression === undefined;
  const { Items = [] } = isWhole ? answer : await ask('Query', whole);
  return sizesOf(Items).reduce((sum, bytes) => sum + bytes, 0);
}

/** What an item takes in the table: a hundred bytes beside its own. */
export function storedBytes(items: readonly Readonly<Record<string, AttributeValue>>[]): number {
  return sizesOf(items).reduce((sum, bytes) => sum + bytes + 100, 0);
}
