import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { advanceUntil } from '../core/pipeline/advance-request.ts';
import type { Pipeline } from '../core/pipeline/create-pipeline.ts';
import type { Queue } from '../core/ports/queue.ts';
import type { RequestStore } from '../core/ports/request-store.ts';
import { isEnded, type RequestStatus } from '../core/request/request.ts';
import { parseRequestMessage, type RequestMessage, requestOfRecord } from './event-records.ts';
import type { Log } from '../core/ports/log.ts';
import { openTimeBudget, type TimeBudget, type TimeLeft } from './instrument.ts';

export interface AdvanceDeps {
  readonly pipeline: Pick<Pipeline, 'advance' | 'end' | 'halt'>;
  readonly store: Pick<RequestStore, 'get'>;
  /** The queue that wakes this function: brings a request back to it. */
  readonly goOn: Pick<Queue<RequestMessage>, 'send' | 'extend'>;
  /** Statuses whose work is this function's. */
  readonly statuses: readonly RequestStatus[];
  readonly log: Pick<Log, 'info' | 'error'>;
}

/** A stream's shard waits for its function: one share there, as many as there is time for from the queue. */
const SHARES_OF_STREAM = 1;
/** What failed at something that passes is tried again soon: most such troubles are over within seconds. */
const FIRST_RETRY_MS = 5000;
const LAST_RETRY_MS = 30_000;

/**
 * Does a request's work share by share, as long as its status is one of this function's and there is time; what is left
 * comes back by the queue. A record whose request cannot be brought forward, and that alone, is reported as failed.
 */
export function createAdvanceHandler(deps: AdvanceDeps) {
  return async (event: SQSEvent | DynamoDBStreamEvent, context: TimeLeft): Promise<SQSBatchResponse | DynamoDBBatchResponse> => {
    const budget = openTimeBudget(context, deps.pipeline);
    const fromStream = isStream(event);
    const handle = async (record: SQSRecord | DynamoDBRecord) => {
      try {
        if (isStreamRecord(record)) await workOn(deps, requestOfRecord(record), SHARES_OF_STREAM, budget);
        else await workOn(deps, parseRequestMessage(record.body).requestId, Number.POSITIVE_INFINITY, budget);
      } catch (error) {
        deps.log.error({ err: error, record: isStreamRecord(record) ? record.eventID : record.messageId }, 'a record failed');
        if (!isStreamRecord(record)) await retrySoon(deps, record);
        throw error;
      }
    };
    try {
      const processor = new BatchProcessor(fromStream ? EventType.DynamoDBStreams : EventType.SQS);
      return await processPartialResponse(event, handle, processor, { throwOnFullBatchFailure: false });
    } finally {
      budget.close();
    }
  };
}

function isStreamRecord(record: SQSRecord | DynamoDBRecord): record is DynamoDBRecord {
  return record.eventSource === 'aws:dynamodb';
}

function isStream(event: SQSEvent | DynamoDBStreamEvent): event is DynamoDBStreamEvent {
  const [first] = event.Records;
  return first !== undefined && isStreamRecord(first);
}

/**
 * A message that failed would stay hidden until its lease ends, which outlasts the longest invocation. It comes back within half a
 * minute instead. If that cannot be had, the lease's end brings it back.
 */
async function retrySoon({ goOn, log }: AdvanceDeps, { receiptHandle, attributes, messageId }: SQSRecord): Promise<void> {
  const failures = Math.max(1, Number(attributes.ApproximateReceiveCount) || 1);
  const pauseMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10));
  try {
    await goOn.extend(receiptHandle, pauseMs);
  } catch (error) {
    log.error({ err: error, record: messageId }, 'a record that failed comes back only when its lease ends');
  }
}

async function workOn(deps: AdvanceDeps, id: string, shares: number, time: TimeBudget): Promise<void> {
  const { pipeline, goOn, statuses, log } = deps;
  const { row, rest } = await advanceUntil(deps, id, {
    statuses,
    allows: (done, inMs) => inMs === 0 && !time.isHalted() && done < shares && (done === 0 || !time.isShort()),
    isHalted: () => time.isHalted(),
  });
  // The process that ended the request may have died before the side effects.
  if (row !== null && isEnded(row.status)) await pipeline.end(id, row.status, row.statusReason);
  if (row === null || rest === null) return;
  await goOn.send([{ requestId: id }], rest.inMs);
  log.info({ request_id: id, status: row.status, shares: rest.shares, wait_ms: rest.inMs }, 'the rest comes later');
}
