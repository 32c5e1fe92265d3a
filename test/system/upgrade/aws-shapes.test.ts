import type { DynamoDBRecord } from 'aws-lambda';
import { expect, test } from 'vitest';
import { type Item, readPops, readPopSum, readRequest } from '../../../adapters/aws/dynamo-rows.ts';
import { decodeMetadata } from '../../../adapters/aws/s3-list-store.ts';
import type { Counters } from '../../../core/work/counters.ts';
import { countersFromMetadata } from '../../../core/work/record-task.ts';
import type { PopRow, RequestRow } from '../../../core/request/request.ts';
import { findTaskFaults, parseTaskMessage } from '../../../core/work/task.ts';
import { parseRequestMessage, requestOfRecord, taskOfRecord } from '../../../lambda/event-records.ts';
import { readRecorded, VERSIONS } from './recorded-dir.ts';

interface AwsShapes {
  /** What the shapes below were made from. */
  readonly row: RequestRow;
  readonly pops: readonly PopRow[];
  readonly task: { readonly taskId: string; readonly pop: string; readonly counters: Counters };
  readonly requestItem: Item;
  readonly planItems: readonly Item[];
  readonly popSumItem: Item;
  readonly taskMessage: string;
  readonly planMessage: string;
  readonly resultMetadata: Readonly<Record<string, string>>;
  readonly requestStreamRecord: DynamoDBRecord;
  readonly taskStreamRecord: DynamoDBRecord;
}

const recorded = VERSIONS.map((version) => [version, readRecorded(version, 'aws-shapes.json') as AwsShapes] as const);

test.each(recorded)('a request and its POPs are read from the DynamoDB items of version %s', (_, shapes) => {
  expect(readRequest(shapes.requestItem).row).toMatchObject(shapes.row);
  const { id } = shapes.row;
  expect(readPops(id, shapes.planItems, [])).toMatchObject(shapes.pops);
  const [first] = shapes.pops;
  expect(readPopSum(shapes.popSumItem)).toMatchObject({ pop: first?.pop, counters: first?.counters, countedTasks: 2 });
});

test.each(recorded)('messages of version %s that wait in SQS are read, by functions and by agents', (_, { row, task, ...shapes }) => {
  expect(parseRequestMessage(shapes.planMessage)).toEqual({ requestId: row.id });
  const sent: unknown = JSON.parse(shapes.taskMessage);
  expect(parseTaskMessage(sent)).toMatchObject(sent as object);
  expect(findTaskFaults(sent)).toEqual([]);
  expect(findTaskFaults({ ...(sent as object), requestId: task })).toMatchObject([{ field: 'requestId' }]);
});

test.each(recorded)('records of the streams and metadata of results of version %s give the same counts', (_, { row, task, ...shapes }) => {
  expect(requestOfRecord(shapes.requestStreamRecord)).toBe(row.id);
  expect(taskOfRecord(shapes.taskStreamRecord)).toEqual({ requestId: row.id, taskId: task.taskId, counters: task.counters });
  expect(countersFromMetadata(decodeMetadata(shapes.resultMetadata))).toEqual(task.counters);
});
