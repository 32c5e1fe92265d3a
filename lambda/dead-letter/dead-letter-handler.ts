import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Pipeline } from '../../core/pipeline/create-pipeline.ts';
import type { Log } from '../../core/ports/log.ts';
import * as z from 'zod';
import { isHeadersName, type TaskMessage } from '../../core/work/task.ts';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { parseJson } from '../event-records.ts';

export interface DeadLetterDeps {
  readonly pipeline: Pick<Pipeline, 'recordDead'>;
  readonly log: Pick<Log, 'info' | 'error'>;
}

/** Records the targets of tasks whose agents died too often, so that their requests come to an end. */
export function createDeadLetterHandler({ pipeline, log }: DeadLetterDeps) {
  const handle = async (record: SQSRecord) => {
    try {
      const message = parseTaskMessage(record.body);
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

const place = z.int().nonnegative();

const schema: z.ZodType<TaskMessage> = z.object({
  requestId: z.string().min(1),
  taskId: z.string().min(1),
  pop: z.string().min(1),
  addresses: z.array(z.object({ ip: z.string(), port: place, httpPort: place })),
  wave: z.literal(0),
  slice: z.object({ list: z.enum(['sized', 'failed']), number: place, part: place, start: place, end: place, rows: place }),
  headers: z.string().refine(isHeadersName, 'names no headers').exactOptional(),
});

/** The body of a queue's message about a task. Throws InvalidInput. */
export function parseTaskMessage(body: string): TaskMessage {
  const parsed = schema.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  throw new InvalidInput(parsed.error.issues.map(({ path, message }) => inputFault(`message ${path.join('.')}`, body, message)));
}
