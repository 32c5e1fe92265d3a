import { keys } from '../keys.ts';
import type { ListStore } from '../ports/list-store.ts';
import type { RequestRow } from '../request/request.ts';
import { readLines } from '../work/sized-list.ts';
import { type SliceLimits, sliceList } from './slicing.ts';
import type { Slice } from '../work/task.ts';
import { listParts } from './list-parts.ts';

/** Cuts the sized list once: every block of POPs and the report read the slices again, not the URLs. */
export async function writeSlices(lists: ListStore, row: RequestRow, limits: SliceLimits): Promise<void> {
  async function* rows(): AsyncGenerator<string> {
    for (const list of ['sized', 'failed'] as const) {
      for await (const slice of sliceList(list, listParts(lists, row.id, list, row.sizing.parts), limits)) yield formatSlice(slice);
    }
  }
  await lists.put(keys.slices(row.id, limits), rows());
}

/** The slices of a plan, those of failed parts last. */
export async function* readSlices(lists: ListStore, id: string, limits: SliceLimits): AsyncGenerator<Slice> {
  for await (const { line } of readLines(lists.read(keys.slices(id, limits)))) yield parseSlice(line);
}

function formatSlice({ list, number, part, start, end, rows }: Slice): string {
  return `${list},${number},${part},${start},${end},${rows}\n`;
}

function parseSlice(line: string): Slice {
  const [list, ...rest] = line.split(',');
  const [number = 0, part = 0, start = 0, end = 0, rows = 0] = rest.map(Number);
  return { list: list === 'failed' ? 'failed' : 'sized', number, part, start, end, rows };
}
