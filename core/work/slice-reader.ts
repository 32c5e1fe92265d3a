import { LRUCache } from 'lru-cache';
import { keys } from '../keys.ts';
import type { ListStore } from '../ports/list-store.ts';
import { parseSizedLine, readLines, type SizedRow } from './sized-list.ts';
import type { TaskMessage } from './task.ts';

/** Every POP works the same slices, so recent ones are kept, by the length of their text: URLs may be 8 KiB long. */
const CACHE_BYTES = 8 * 1024 * 1024;

export interface SliceReader {
  read(task: TaskMessage): Promise<readonly SizedRow[]>;
}

export function createSliceReader(lists: Pick<ListStore, 'read'>): SliceReader {
  const recent = new LRUCache<string, Promise<readonly SizedRow[]>>({
    maxSize: CACHE_BYTES,
    maxEntrySize: CACHE_BYTES,
  });

  async function fetchRows(key: string, task: TaskMessage): Promise<readonly SizedRow[]> {
    const rows: SizedRow[] = [];
    const { start, end } = task.slice;
    for await (const { line } of readLines(lists.read(key, { start, end }))) rows.push(parseSizedLine(line));
    if (rows.length !== task.slice.rows)
      throw new Error(`${key} holds ${rows.length} rows where task ${task.taskId} has ${task.slice.rows}`);
    return rows;
  }

  return {
    read(task) {
      const key = keys.part(task.requestId, task.slice.list, task.slice.part);
      const id = `${key}:${task.slice.start}`;
      const known = recent.get(id);
      if (known) return known;
      const rows = fetchRows(key, task);
      recent.set(id, rows, { size: Math.max(1, task.slice.end - task.slice.start) });
      rows.catch(() => recent.delete(id));
      return rows;
    },
  };
}
