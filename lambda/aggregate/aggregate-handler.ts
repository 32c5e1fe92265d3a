import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { count, type CounterKey } from '../../core/work/counters.ts';
import { PrewarmError } from '../../core/errors.ts';
import { FAILURES } from '../../core/failures.ts';
import type { Pipeline } from '../../core/pipeline/create-pipeline.ts';
import { type TaskRecord, taskOfRecord } from '../event-records.ts';
import type { Instruments } from '../instrument.ts';

export interface AggregateDeps extends Instruments {
  readonly pipeline: Pick<Pipeline, 'aggregate'>;
}

interface Delivered extends TaskRecord {
  /** What a failed record is reported by. */
  readonly sequence: string;
}

const FIGURES = [
  ['TargetsWarmed', 'warmed'],
  ['TargetsAlreadyWarm', 'already_warm'],
  ['TargetsFailed', 'failed'],
  ['EdgeBytes', 'edge_bytes'],
] as const satisfies readonly (readonly [string, CounterKey])[];

/**
 * Counts recorded tasks, request by request: one that fails, or a record that says nothing, does not keep the others from
 * being counted. The figures are added once per delivery, so that a redelivered record shows twice in them, and only there.
 */
export function createAggregateHandler(deps: AggregateDeps) {
  return async (event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    const failed = new Set<string>();
    const byRequest = new Map<string, Delivered[]>();
    for (const record of event.Records) {
      const task = readRecord(deps, record, failed);
      if (task === null) continue;
      const tasks = byRequest.get(task.requestId) ?? [];
      byRequest.set(task.requestId, tasks);
      tasks.push(task);
    }
    for (const tasks of byRequest.values()) await countTasks(deps, tasks, failed);
    return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) };
  };
}

function readRecord({ log }: AggregateDeps, record: DynamoDBRecord, failed: Set<string>): Delivered | null {
  // Rows that change or go with age were counted when they came.
  if (record.eventName !== undefined && record.eventName !== 'INSERT') return null;
  const sequence = record.dynamodb?.SequenceNumber ?? '';
  try {
    return { ...taskOfRecord(record), sequence };
  } catch (error) {
    log.error({ err: error, record: record.eventID }, 'a record says nothing');
    failed.add(sequence);
    return null;
  }
}

/** `tasks` are of one request. */
async function countTasks(deps: AggregateDeps, tasks: readonly Delivered[], failed: Set<string>): Promise<void> {
  try {
    await deps.pipeline.aggregate(tasks);
    for (const [name, key] of FIGURES) addFigure(deps, name, tasks, key);
  } catch (error) {
    // What ails the store ails all of them; anything else may be one task's fault, which a transaction shares with its neighbours.
    const isShared = error instanceof PrewarmError && FAILURES[error.code].status === 503;
    if (tasks.length > 1 && !isShared) {
      for (const task of tasks) await countTasks(deps, [task], failed);
      return;
    }
    deps.log.error({ err: error, request_id: tasks[0]?.requestId, tasks: tasks.length }, 'tasks were not counted');
    for (const { sequence } of tasks) failed.add(sequence);
  }
}

function addFigure({ metrics }: AggregateDeps, name: (typeof FIGURES)[number][0], tasks: readonly Delivered[], key: CounterKey): void {
  // Zeros too: a dashboard's sum has no value where one of its figures has none.
  metrics.add(
    name,
    tasks.reduce((total, { counters }) => total + count(counters, key), 0),
  );
}
