import { SQSClient } from '@aws-sdk/client-sqs';
import { createSqsQueue } from '../../adapters/aws/sqs-queue.ts';
import type { Queue } from '../../core/ports/queue.ts';

/** Its dead letters reach a function by themselves. */
export function openQueue<T>(url: string, fairKey?: (message: T) => string): Queue<T> {
  return createSqsQueue<T>(new SQSClient(), { url, deadLetterUrl: null, ...(fairKey === undefined ? {} : { fairKey }) });
}
