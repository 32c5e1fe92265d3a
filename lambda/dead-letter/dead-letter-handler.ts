import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Pipeline } from '../../core/pipeline/create-pipeline.ts';
import type { Log } from '../../core/ports/log.ts';
import { parseTaskMessage } from '../../core/work/task.ts';
import { parseJson } from '../../core/parse-json.ts';

export interface DeadLetterDeps {
  readonly pipeline: Pick<Pipeline, 'recordDead'>;
  readonly log: Pick<Log, 'info' | 'error'>;
}

/** Records the targets of tasks whose agents died too often, so that their requests come to an end. */
export function createDeadLetterHandler({ pipeline, log }: DeadLetterDeps) {
  const handle = async (record: SQSRecord) => {
    try {
      const message = parseTaskMessage(parseJson(record.body));
      await pipeline.recordDead(message);
      log.info({ request_id: message.requestId, task: message.taskId }, 'a task that nobody brought to an end is recorded');
    } catch (error) {
      log.error({ err: error, record: record.messageId }, 'a dead letter failed');
      throw error;
    }
  };
  return async (event: SQSEvent): Promise<SQSBatchResponse> =>
    processPartialResponse(event, handle, new BatchProcessor(EventType.SQS), { throwOnFullBatchFailure: false });
}
