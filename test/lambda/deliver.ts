import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { SqliteQueue } from '../../adapters/embedded/sqlite-queue.ts';
import { isEnded } from '../../core/request/request.ts';
import { getRow, workAll } from '../../testing/pipeline-fixture.ts';
import type { TimeLeft } from '../../lambda/instrument.ts';
import { type FunctionWorld, failuresOf, LONG, queueRecord, requestRecord, taskRecord } from './function-world.ts';

type Handler = (event: SQSEvent | DynamoDBStreamEvent, context: TimeLeft) => Promise<SQSBatchResponse | DynamoDBBatchResponse>;

export interface DeliveryOptions {
  /** How often each event comes. */
  readonly copies?: number;
  /** Invocations that failed or reported a failure may be tried again so often. */
  readonly retries?: number;
  readonly time?: TimeLeft;
}

const ROUNDS = 300;

/** Delivers a batch as Lambda does: again, from the first record on that was not done, until all are. Returns how often. */
async function deliver(handler: Handler, records: readonly (DynamoDBRecord | SQSRecord)[], options: DeliveryOptions): Promise<void> {
  const { copies = 1, retries = 20, time = LONG } = options;
  for (let copy = 0; copy < copies; copy++) {
    let left = records;
    for (let tried = 0; left.length > 0; tried++) {
      if (tried > retries) throw new Error(`never done: ${JSON.stringify(left).slice(0, 300)}`);
      const answer = await handler({ Records: left } as SQSEvent, time).catch(() => null);
      const failed = answer === null ? null : new Set(failuresOf(answer));
      left = failed === null ? left : left.filter((record) => failed.has(idOf(record)));
    }
  }
}

const idOf = (record: DynamoDBRecord | SQSRecord) => ('messageId' in record ? record.messageId : (record.dynamodb?.SequenceNumber ?? ''));

async function deliverQueue(handler: Handler, queue: SqliteQueue<{ requestId: string }>, options: DeliveryOptions): Promise<number> {
  const leased = await queue.receive(10, 0);
  if (leased.length === 0) return 0;
  await deliver(
    handler,
    leased.map(({ message }) => queueRecord(message)),
    options,
  );
  for (const { receipt } of leased) await queue.delete(receipt);
  return leased.length;
}

async function deliverChanges(world: FunctionWorld, options: DeliveryOptions): Promise<number> {
  const changes = world.stores.outbox.take('request', 100);
  // Every change to both functions: what concerns them not, they pass over.
  for (const { requestId } of changes) {
    await deliver(world.task, [requestRecord(requestId, 'MODIFY')], options);
    await deliver(world.getSize, [requestRecord(requestId)], options);
  }
  world.stores.outbox.acknowledge(changes.map(({ sequence }) => sequence));
  return changes.length;
}

async function deliverTasks(world: FunctionWorld, options: DeliveryOptions): Promise<number> {
  const records = world.stores.outbox.take('task', 3);
  const events = records.map(({ requestId, taskId }) => taskRecord(requestId, taskId ?? '', { warmed: 1 }));
  await deliver(world.aggregate, events.toReversed(), options);
  world.stores.outbox.acknowledge(records.map(({ sequence }) => sequence));
  return records.length;
}

/** Feeds the functions with what changes, as streams and queues do, until nothing is left to deliver. */
export async function deliverAll(world: FunctionWorld, options: DeliveryOptions = {}): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    let delivered = await deliverChanges(world, options);
    delivered += await deliverQueue(world.getSize, world.sizes, options);
    delivered += await deliverQueue(world.task, world.plans, options);
    delivered += (await workAll(world)).length;
    delivered += await deliverTasks(world, options);
    if (delivered === 0) return;
  }
  throw new Error('there is always something more to deliver');
}

/** What is wrong with what must be left behind once a request has ended; empty: nothing. */
export async function leftOver(world: FunctionWorld): Promise<string[]> {
  const faults: string[] = [];
  const row = await getRow(world.ports);
  if (!isEnded(row.status)) faults.push(`the request is ${row.status}`);
  if (world.fleet.capacity !== 0) faults.push(`the capacity is ${world.fleet.capacity}`);
  if (world.ended.length === 0) faults.push('nobody was told of the end');
  if (world.stores.timers.takeDue(Number.MAX_SAFE_INTEGER, 10).length > 0) faults.push('its timer is still there');
  if ((await world.stores.tasks.counts()).available > 0) faults.push('there are tasks on the queue');
  return faults;
}
