import Table from 'cli-table3';
import { textWidth } from './text-width.ts';

export interface TableColumn {
  readonly head: string;
  readonly cells: readonly string[];
  /** Texts are aligned left, numbers right. */
  readonly isText?: boolean;
  /** The column with the highest rank leaves first where the table would not fit; absent: it stays. */
  readonly rank?: number;
}

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '─',
  'mid-mid': '─',
  right: '',
  'right-mid': '',
  middle: ' ',
};

/** Between two columns. */
const GAP = 2;

function widthOf(columns: readonly TableColumn[]): number {
  const widths = columns.map(({ head, cells }) => Math.max(textWidth(head), ...cells.map(textWidth)));
  return widths.reduce((sum, width) => sum + width, GAP * (columns.length - 1));
}

/** The columns that fit into `width`, the most important ones. Columns without any content are left out. */
export function fitColumns(all: readonly TableColumn[], width: number): readonly TableColumn[] {
  let columns = all.filter(({ cells, rank }) => rank === undefined || cells.some((cell) => cell !== ''));
  while (widthOf(columns) > width) {
    const least = Math.max(...columns.map(({ rank }) => rank ?? -1));
    if (least < 0) break;
    columns = columns.filter(({ rank }) => (rank ?? -1) !== least);
  }
  return columns;
}

/** A table without borders but a rule below its head, not wider than `width` as long as columns can be left out. */
export function formatTable(all: readonly TableColumn[], width: number): string {
  const columns = fitColumns(all, width);
  const table = new Table({
    head: columns.map(({ head }) => head),
    chars: NO_BORDERS,
    colAligns: columns.map(({ isText }) => (isText === true ? 'left' : 'right')),
    style: { compact: true, head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
  });
  const rows = columns[0]?.cells.length ?? 0;
  for (let row = 0; row < rows; row++) table.push(columns.map(({ cells }) => cells[row] ?? ''));
  // The last column's padding is dropped, in the rule too.
  const lines = table.toString().split('\n');
  return lines.map((line) => (line.startsWith('─') ? line.slice(0, -1) : line.trimEnd())).join('\n');
}
