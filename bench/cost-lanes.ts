import type { DynamoDBBatchResponse, DynamoDBRecord } from 'aws-lambda';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamReading } from './cost-template.ts';

type Deliver = (records: readonly DynamoDBRecord[]) => Promise<DynamoDBBatchResponse>;

/** The records of one shard on their way to a function. */
export interface Lanes {
  add(records: readonly DynamoDBRecord[]): void;
  /** Resolves when all that was added has been handled. */
  drain(): Promise<void>;
}

function laneOf({ dynamodb }: DynamoDBRecord, lanes: number): number {
  return createHash('sha256').update(JSON.stringify(dynamodb?.Keys)).digest().readUInt32BE() % lanes;
}

/**
 * Batches as Lambda does: with a parallelization factor above 1 the records of a shard are dealt out by their items' whole keys
 * (order is kept by item only), and each lane gathers for its own window, or up to the batch's size. `deliver` gets the lane.
 */
export function createLanes({ batchSize, windowMs, parallel }: StreamReading, deliver: (lane: number) => Deliver): Lanes {
  const lanes = Array.from({ length: parallel }, (_, lane) => createLane(batchSize, windowMs, deliver(lane)));
  return {
    add(records) {
      for (const record of records) lanes[laneOf(record, parallel)]?.add(record);
    },
    drain: async () => {
      await Promise.all(lanes.map((lane) => lane.drain()));
    },
  };
}

function createLane(batchSize: number, windowMs: number, deliver: Deliver) {
  let waiting: DynamoDBRecord[] = [];
  let running: Promise<void> | null = null;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const full = Date.now() + windowMs;
      while (waiting.length < batchSize && Date.now() < full) await sleep(Math.min(20, windowMs));
      const batch = waiting.slice(0, batchSize);
      waiting = waiting.slice(batchSize);
      const { batchItemFailures } = await deliver(batch);
      // From the first failed record on they come again.
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const first = batch.findIndex(({ dynamodb }) => failed.has(dynamodb?.SequenceNumber ?? ''));
      if (first >= 0) waiting = [...batch.slice(first), ...waiting];
    }
  }

  return {
    add(record: DynamoDBRecord) {
      waiting.push(record);
      running ??= run().finally(() => {
        running = null;
      });
    },
    drain: async () => {
      while (running !== null) await running;
    },
  };
}
