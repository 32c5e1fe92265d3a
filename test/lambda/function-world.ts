import { onTestFinished } from 'vitest';
import type { DynamoDBBatchResponse, DynamoDBRecord, SQSBatchResponse, SQSRecord } from 'aws-lambda';
import { openDatabase } from '../../adapters/embedded/database.ts';
import { createSqliteQueue } from '../../adapters/embedded/sqlite-queue.ts';
import { systemClock } from '../../core/clock.ts';
import { createPipeline } from '../../core/pipeline/create-pipeline.ts';
import type { PipelineOptions } from '../../core/pipeline/pipeline-context.ts';
import type { PipelinePorts } from '../../core/ports/ports.ts';
import { countersToMetadata } from '../../core/work/record-task.ts';
import { createAdvanceHandler } from '../../lambda/advance-handler.ts';
import { createAggregateHandler } from '../../lambda/aggregate/aggregate-handler.ts';
import { createDeadLetterHandler } from '../../lambda/dead-letter/dead-letter-handler.ts';
import type { RequestMessage } from '../../lambda/event-records.ts';
import type { FunctionMetrics, Instruments } from '../../lambda/instrument.ts';
import { type Edge, openFixture, type PipelineFixture } from '../../testing/pipeline-fixture.ts';
import { createFaults, type Faults, faultyPort } from './faulty-port.ts';

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly status?: string;
}

/** What the functions wrote and counted. */
export interface Told extends Instruments {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
  readonly figures: Figure[];
}

function listen(): Told {
  const lines: Told['lines'] = [];
  const figures: Figure[] = [];
  const say = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) =>
    void lines.push({ level, message, fields });
  const metrics: FunctionMetrics = {
    add: (name, value) => void figures.push({ name, value }),
    addByStatus: (name, status, value) => void figures.push({ name, value, status }),
    publish: () => undefined,
  };
  return {
    lines,
    figures,
    metrics,
    log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'), begin: () => undefined },
  };
}

export const LONG = { getRemainingTimeInMillis: () => 900_000 };

let sequence = 0;

/** A record of the request table's stream. */
export function requestRecord(id: string | null, eventName: 'INSERT' | 'MODIFY' = 'INSERT'): DynamoDBRecord {
  sequence += 1;
  return {
    eventName,
    eventSource: 'aws:dynamodb',
    eventID: `event-${sequence}`,
    dynamodb: { SequenceNumber: String(sequence), Keys: id === null ? { else: { S: 'x' } } : { id: { S: id } } },
  };
}

/** A record of the task table's stream, with the attributes that count. */
export function taskRecord(requestId: string, taskId: string, counters: Readonly<Record<string, number>> = {}): DynamoDBRecord {
  sequence += 1;
  const keys = { requestId: { S: requestId }, taskId: { S: taskId } };
  const figures = countersToMetadata(counters)['counters'] ?? '';
  return {
    eventName: 'INSERT',
    eventSource: 'aws:dynamodb',
    eventID: `event-${sequence}`,
    dynamodb: { SequenceNumber: String(sequence), Keys: keys, NewImage: { ...keys, counters: { S: figures } } },
  };
}

/** A message as a queue delivers it; text is sent as it is. */
export function queueRecord(
  message: unknown,
  messageId = `message-${++sequence}`,
  { receipt, receives }: { readonly receipt: string; readonly receives: number } = { receipt: '', receives: 1 },
): SQSRecord {
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  return {
    messageId,
    body,
    eventSource: 'aws:sqs',
    receiptHandle: receipt,
    attributes: { ApproximateReceiveCount: String(receives) },
    messageAttributes: {},
    md5OfBody: '',
  } as unknown as SQSRecord;
}

export const failuresOf = (answer: SQSBatchResponse | DynamoDBBatchResponse) =>
  answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);

/** The functions on the embedded stores; faults reach what functions use, and never what the test itself looks at. */
export function openFunctions(edge: Edge = {}, options: PipelineOptions = {}) {
  const faults = createFaults();
  const told = listen();
  const fixture = openFixture(edge, options);
  const ports = faultyPorts(fixture, faults);
  const db = openDatabase(':memory:');
  onTestFinished(() => db.close());
  const sizes = createSqliteQueue<RequestMessage>(db, 'sizes', systemClock, { holder: 'sizes', maxReceives: 1000 });
  const plans = createSqliteQueue<RequestMessage>(db, 'plans', systemClock, { holder: 'plans', maxReceives: 1000 });
  const pipeline = createPipeline(ports, options);
  const shared = { pipeline, store: ports.store, log: told.log };
  return {
    ...fixture,
    faults,
    told,
    sizes,
    plans,
    functionPipeline: pipeline,
    /** With the faults. */
    store: ports.store,
    getSize: createAdvanceHandler({ ...shared, goOn: faultyPort(sizes, faults), statuses: ['CREATED', 'INVALIDATING', 'SIZING'] }),
    task: createAdvanceHandler({ ...shared, goOn: faultyPort(plans, faults), statuses: ['QUEUEING', 'IN_PROGRESS'] }),
    aggregate: createAggregateHandler({ pipeline, ...told }),
    deadLetter: createDeadLetterHandler({ pipeline, log: told.log }),
  };
}

export type FunctionWorld = ReturnType<typeof openFunctions>;

function faultyPorts({ ports }: Pick<PipelineFixture, 'ports'>, faults: Faults): PipelinePorts {
  return {
    ...ports,
    store: faultyPort(ports.store, faults),
    lists: faultyPort(ports.lists, faults, ['read', 'readResult']),
    tasks: faultyPort(ports.tasks, faults),
    timers: faultyPort(ports.timers, faults),
    fleet: faultyPort(ports.fleet, faults),
    events: faultyPort(ports.events, faults),
  };
}
