import { count } from '../work/counters.ts';
import { keys } from '../keys.ts';
import type { ListStore } from '../ports/list-store.ts';
import { countersFromMetadata } from '../work/record-task.ts';
import { isEnded, type RequestRow } from '../request/request.ts';
import { readFailedUrl } from '../report/result-row.ts';
import { parseValueLine, readLines } from '../work/sized-list.ts';
import { type Slice, taskIdOf } from '../work/task.ts';
import { readSliceLines } from './list-parts.ts';

/** URLs of a slice, at most 500. */
export async function readSliceUrls(lists: Pick<ListStore, 'read'>, id: string, slice: Slice): Promise<string[]> {
  const lines = await readSliceLines(lists, id, slice);
  return lines.map((line) => parseValueLine(line).url);
}

/**
 * URLs of a slice that failed at a POP, as far as the task has been counted (`counted`); after the end a task that was not
 * is `stopped`, which is failed too.
 */
export async function readFailedUrls(
  lists: ListStore,
  row: RequestRow,
  pop: string,
  slice: Slice,
  counted: ReadonlySet<string>,
): Promise<readonly string[]> {
  const taskId = taskIdOf(pop, slice);
  if (!counted.has(taskId)) return isEnded(row.status) ? readSliceUrls(lists, row.id, slice) : [];
  const key = keys.result(row.id, taskId);
  const metadata = await lists.resultMetadata(key);
  const failed = metadata === null ? 0 : count(countersFromMetadata(metadata), 'failed');
  if (failed === 0) return [];
  if (failed === slice.rows * row.spec.variants.length) return readSliceUrls(lists, row.id, slice);
  const urls = new Set<string>();
  for await (const { line } of readLines(lists.readResult(key))) {
    const url = readFailedUrl(line);
    if (url !== null) urls.add(url);
  }
  return [...urls];
}
