import type { ResultMetadata } from '../ports/list-store.ts';
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
