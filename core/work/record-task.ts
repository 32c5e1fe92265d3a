import type { Clock } from '../clock.ts';
import type { Counters } from './counters.ts';
import { keys } from '../keys.ts';
import type { ListStore, ResultMetadata } from '../ports/list-store.ts';
import type { RequestStore } from '../ports/request-store.ts';

/** First-byte times are most of a task's keys, so their names are short there: `<n` and `>n`, in base 36. */
export const shortCounterKey = (key: string): string =>
  key.replace(/^(first|last)\.(\d+)$/, (_, at, bucket) => (at === 'first' ? '<' : '>') + Number(bucket).toString(36));
export const longCounterKey = (key: string): string =>
  key.replace(/^([<>])(.+)$/, (_, at, bucket) => `${at === '<' ? 'first' : 'last'}.${Number.parseInt(bucket, 36)}`);

/** Counters as metadata of a result object: one value, base 36, since S3 counts every byte of up to 2 KB. */
export function countersToMetadata(counters: Counters): ResultMetadata {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(counters)) if (value !== 0) parts.push(`${shortCounterKey(key)}:${value.toString(36)}`);
  return { counters: parts.join(' ') };
}

export function countersFromMetadata(metadata: ResultMetadata): Counters {
  const counters: Record<string, number> = {};
  for (const part of (metadata['counters'] ?? '').split(' ')) {
    const colon = part.lastIndexOf(':');
    if (colon > 0) counters[longCounterKey(part.slice(0, colon))] = Number.parseInt(part.slice(colon + 1), 36);
  }
  return counters as Counters;
}

/**
 * Records what happened to a task, once. The result object is the truth: whoever writes it first decides, whoever comes
 * second goes on with the counts of the first, so that a crash between object and row changes nothing.
 */
export async function recordTask(
  ports: { readonly lists: Pick<ListStore, 'putResult'>; readonly store: Pick<RequestStore, 'putTask'>; readonly clock: Clock },
  task: { readonly requestId: string; readonly taskId: string; readonly pop: string },
  rows: string,
  counters: Counters,
): Promise<void> {
  const { existing } = await ports.lists.putResult(keys.result(task.requestId, task.taskId), rows, countersToMetadata(counters));
  const { requestId, taskId, pop } = task;
  const counted = existing === null ? counters : countersFromMetadata(existing);
  await ports.store.putTask({ requestId, taskId, pop, counters: counted, recordedAt: ports.clock.now() });
}
