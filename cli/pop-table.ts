import { stripVTControlCharacters, styleText } from 'node:util';
import Table from 'cli-table3';
import { plainText } from '../core/plain-text.ts';
import type { PopProgress, Progress } from '../core/progress.ts';
import { counted, formatBytes, formatCount, formatDuration, formatMilliseconds } from './quantities.ts';

export interface TableOptions {
  /** City of a POP, for people. */
  readonly cityOf: (pop: string) => string;
  readonly color: boolean;
  /** Columns there are; default 120. */
  readonly width?: number;
}

const MAX_WIDTH = 120;
const MAX_CITY = 18;
const MAX_FAILURE_ROWS = 20;
const MAX_NAMES = 10;

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

/** A table without borders but a rule below its head; the first `texts` columns are aligned left, the others right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[], texts: number): string {
  const table = new Table({
    head: [...head],
    chars: NO_BORDERS,
    colAligns: head.map((_, column) => (column < texts ? 'left' : 'right')),
    style: { compact: true, head: [], border: [], 'padding-left': 0, 'padding-right': 1 },
  });
  for (const row of rows) table.push([...row]);
  // The last column's padding is dropped, in the rule too.
  const lines = table.toString().split('\n');
  return lines.map((line) => (line.startsWith('─') ? line.slice(0, -1) : line.trimEnd())).join('\n');
}

function times(median: number | null, p95: number | null): string {
  return median === null || p95 === null ? '' : `${formatMilliseconds(median)} / ${formatMilliseconds(p95)}`;
}

const shortened = (text: string) => (text.length > MAX_CITY ? `${text.slice(0, MAX_CITY - 1)}…` : text);

/** A number of every POP that adds up: its heading, and how it is written. */
interface Sum {
  readonly head: string;
  readonly of: (pop: PopProgress) => number;
  readonly format: (value: number) => string;
}

const SUMS: readonly Sum[] = [
  { head: 'Targets', of: (pop) => pop.total_count, format: formatCount },
  { head: 'Warmed', of: (pop) => pop.warmed_count, format: formatCount },
  { head: 'Already', of: (pop) => pop.already_warm_count, format: formatCount },
  { head: 'Failed', of: (pop) => pop.failed_count, format: formatCount },
  { head: 'Verified', of: (pop) => pop.verified_count, format: formatCount },
  { head: 'Bytes', of: (pop) => pop.download_size, format: formatBytes },
];

/** One row per POP and their sum. The cities are left out where they would not fit. */
export function formatPopTable(pops: readonly PopProgress[], { cityOf, color, width = MAX_WIDTH }: TableOptions): string {
  const cell = ({ head, format }: Sum, value: number) =>
    head === 'Failed' && value > 0 && color ? styleText('red', format(value), { validateStream: false }) : format(value);
  const rows = pops.map((pop) => [
    pop.pop,
    shortened(cityOf(pop.pop)),
    ...SUMS.map((sum) => cell(sum, sum.of(pop))),
    times(pop.ttfb_before_median_ms, pop.ttfb_before_p95_ms),
    times(pop.ttfb_after_median_ms, pop.ttfb_after_p95_ms),
  ]);
  const totals = SUMS.map((sum) =>
    cell(
      sum,
      pops.reduce((total, pop) => total + sum.of(pop), 0),
    ),
  );
  if (pops.length > 1) rows.push(['total', '', ...totals, '', '']);
  const head = ['POP', 'City', ...SUMS.map((sum) => sum.head), 'Before, ms', 'After, ms'];
  const whole = formatTable(head, rows, 2);
  const isTooWide = whole.split('\n').some((line) => stripVTControlCharacters(line).length > width);
  const withoutCity = (row: readonly string[]) => row.filter((_, column) => column !== 1);
  const table = isTooWide ? formatTable(withoutCity(head), rows.map(withoutCity), 1) : whole;
  return `${table}\nBefore, after: first byte of each target's first and last request, median / p95.`;
}

/** Failed targets by POP and reason, most first; '' when none failed. */
function formatFailureTable(pops: readonly PopProgress[]): string {
  const failures = pops
    .flatMap(({ pop, failed_reasons }) => Object.entries(failed_reasons).map(([reason, count]) => ({ pop, reason, count })))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
  if (failures.length === 0) return '';
  const rows = failures.slice(0, MAX_FAILURE_ROWS).map(({ pop, reason, count }) => [pop, reason, formatCount(count)]);
  const more = failures.length - rows.length;
  return `${formatTable(['POP', 'Failed because', 'Targets'], rows, 2)}${more > 0 ? `\nand ${more} more rows` : ''}`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}

/** What a reader of the table must know beside it, one sentence each. */
function formatNotes(progress: Progress, pops: readonly PopProgress[]): readonly string[] {
  const notes: string[] = [];
  const near = pops.filter((pop) => pop.near_count > 0).map((pop) => pop.pop);
  if (near.length > 0) {
    notes.push(`${counted(progress.near_count, 'target')} answered by another POP of the same city (near): ${listed(near)}.`);
  }
  const separate = pops.filter((pop) => pop.separate_caches).map((pop) => pop.pop);
  if (separate.length > 0) notes.push(`Addresses that are caches of their own, each of which was warmed: ${listed(separate)}.`);
  if (progress.skipped_pops.length > 0) notes.push(`Default POPs left out, because they do not resolve: ${listed(progress.skipped_pops)}.`);
  return notes;
}

/** How it ended, in one sentence. */
export function formatClosing(progress: Progress, elapsedMs: number): string {
  const { total_count: total, download_count: done, verified_count: verified, failed_count: failed } = progress;
  if (progress.status === 'FAILED')
    return `Nothing could be warmed${progress.status_reason === null ? '' : `: ${plainText(progress.status_reason)}`}.`;
  const prefix = progress.status === 'TIMEOUT' ? 'Timed out: ' : progress.status === 'STOPPED' ? 'Stopped: ' : '';
  const proof = done === 0 ? 'warm' : verified === done ? 'warm and verified' : `warm, ${formatCount(verified)} of them verified,`;
  const failures = failed > 0 ? `${proof.endsWith(',') ? '' : ','} ${formatCount(failed)} failed,` : '';
  return `${prefix}${formatCount(done)} of ${counted(total, 'target')} ${proof}${failures} in ${formatDuration(elapsedMs)}.`;
}

/** Everything that is printed at the end of a run. Ends with a line end. */
export function formatEnd(
  progress: Progress,
  pops: readonly PopProgress[],
  options: TableOptions & { readonly elapsedMs: number },
): string {
  const blocks = [
    pops.length > 0 ? formatPopTable(pops, options) : '',
    formatFailureTable(pops),
    formatNotes(progress, pops).join('\n'),
    formatClosing(progress, options.elapsedMs),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}
