import { keys } from '../keys.ts';
import type { ListStore, ResultMetadata } from '../ports/list-store.ts';
import { readLines } from '../work/sized-list.ts';
import type { Slice } from '../work/task.ts';
import type { SizingCursor } from '../request/request.ts';

/** What sizing one share came to; kept as metadata of the object that decides it. */
export interface ShareFigures {
  /** Byte offset in `urls.csv` behind the share. */
  readonly end: number;
  readonly rows: number;
  readonly failedRows: number;
  /** Sum of the lengths learnt, bytes, each URL once. */
  readonly bytes: number;
  /** POPs given up for sizing, up to and with this share. */
  readonly deadPops: number;
  /** The list ends with this share. */
  readonly last: boolean;
}

export function formatShareFigures(figures: ShareFigures): ResultMetadata {
  return { share: JSON.stringify(figures) };
}

export function parseShareFigures(metadata: ResultMetadata): ShareFigures {
  return JSON.parse(metadata['share'] ?? '') as ShareFigures;
}

export function cursorAfter(cursor: SizingCursor, share: ShareFigures, variants: number): SizingCursor {
  return {
    parts: cursor.parts + 1,
    offset: share.end,
    rows: cursor.rows + share.rows,
    failedRows: cursor.failedRows + share.failedRows,
    bytes: cursor.bytes + share.bytes * variants,
    done: share.last,
  };
}

/** One part of a list, as bytes. */
export interface ListPart {
  readonly part: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

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
