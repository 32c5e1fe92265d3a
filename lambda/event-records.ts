import { InvalidInput } from '../core/errors.ts';
import { parseJson } from '../core/parse-json.ts';
import { inputFault } from '../core/input-fault.ts';
import type { Counters } from '../core/work/counters.ts';
import { countersFromMetadata } from '../core/work/record-task.ts';
import type { DynamoDBRecord } from 'aws-lambda';

// Events come from this system's own tables, queues and schedules. One that looks different is refused, and nothing is guessed.

/** `{"requestId": "..."}`: a queue's way to say "go on", and a timer's to say "time is up". */
export interface RequestMessage {
  readonly requestId: string;
}

function wrong(what: string, value: unknown, wanted: string): InvalidInput {
  return new InvalidInput([inputFault(what, value, wanted)]);
}

export function isRequestMessage(value: unknown): value is RequestMessage {
  return (
    typeof value === 'object' && value !== null && 'requestId' in value && typeof value.requestId === 'string' && value.requestId !== ''
  );
}

/** Throws InvalidInput. */
export function parseRequestMessage(body: string): RequestMessage {
  const value = parseJson(body);
  if (isRequestMessage(value)) return value;
  throw wrong('message', body, 'is not {"requestId": "..."}');
}

/** The request that a record of the request table's stream is about. Throws InvalidInput. */
export function requestOfRecord(record: DynamoDBRecord): string {
  const id = record.dynamodb?.Keys?.['id']?.S ?? '';
  if (id === '') throw wrong('record', record.dynamodb?.Keys ?? '', 'has no id; it is none of the request table');
  return id;
}

export interface TaskRecord {
  readonly requestId: string;
  readonly taskId: string;
  readonly counters: Counters;
}

/** Reads which task a record of the task table's stream is about, and its counters. Throws InvalidInput. */
export function taskOfRecord({ dynamodb }: DynamoDBRecord): TaskRecord {
  const keys = dynamodb?.Keys ?? {};
  const requestId = keys['requestId']?.S ?? '';
  const taskId = keys['taskId']?.S ?? '';
  if (requestId === '' || taskId === '') throw wrong('record', keys, 'has no requestId and taskId; it is none of the task table');
  return { requestId, taskId, counters: countersFromMetadata({ counters: dynamodb?.NewImage?.['counters']?.S ?? '' }) };
}
