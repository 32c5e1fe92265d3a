import { keys } from '../keys.ts';
import type { ListStore } from '../ports/list-store.ts';
import { readLines } from '../work/sized-list.ts';
import type { ListPart } from './slicing.ts';
import type { Slice } from '../work/task.ts';
import { parseShareFigures } from './share-figures.ts';

/** Parts of a request's list that were written, in order; `failed` parts exist only where sizing refused something. */
export async function* listParts(lists: ListStore, id: string, list: Slice['list'], parts: number): AsyncGenerator<ListPart> {
  for (let part = 0; part < parts; part++) {
    if (list === 'failed' && (await failedRows(lists, id, part)) === 0) continue;
    yield { part, chunks: lists.read(keys.part(id, list, part)) };
  }
}

async function failedRows(lists: ListStore, id: string, part: number): Promise<number> {
  const metadata = await lists.resultMetadata(keys.sizing(id, part));
  return metadata === null ? 0 : parseShareFigures(metadata).failedRows;
}

/** Lines of one slice: at most 500, so they may be held. */
export async function readSliceLines(lists: Pick<ListStore, 'read'>, id: string, slice: Slice): Promise<string[]> {
  const lines: string[] = [];
  const range = { start: slice.start, end: slice.end };
  for await (const { line } of readLines(lists.read(keys.part(id, slice.list, slice.part), range))) lines.push(line);
  return lines;
}
