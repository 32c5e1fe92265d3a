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
  const taskId = taskIdOf(pop, 0, slice);
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

/** Names in a summary or a status, per list. */
export const MAX_LISTED = 1000;

/** Three lists make an answer, and a function's ends at 6 MB, escapes included. */
const MAX_CHARACTERS = 1_500_000;

/** Distinct names in the order they came in, as many as an answer has room for. */
export interface NameList {
  add(name: string): void;
  isFull(): boolean;
  names(): readonly string[];
}

export function createNameList(): NameList {
  const names = new Set<string>();
  let characters = 0;
  let full = false;
  return {
    add(name) {
      if (full || names.has(name)) return;
      characters += name.length;
      full = characters > MAX_CHARACTERS;
      if (full) return;
      names.add(name);
      full = names.size >= MAX_LISTED;
    },
    isFull: () => full,
    names: () => [...names],
  };
}

/** Objects of a store that are read at once: one after another, a hundred thousand of them take an hour. */
export const READS_AHEAD = 8;

/** What `work` makes of each item, in their order; up to `ahead` of them are under way at a time. */
export async function* inOrder<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    // The consumer meets a failure when it takes the result. Where it stops earlier, the failure is nobody's.
    result.catch(() => undefined);
    underWay.push(result);
    if (underWay.length === ahead) yield (await underWay.shift()) as R;
  }
  for (const rest of underWay) yield await rest;
}
