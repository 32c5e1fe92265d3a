import { styleText } from 'node:util';
import { plainText } from '../../core/plain-text.ts';
import type { PopProgress, Progress } from '../../core/report/progress.ts';
import { formatFailures, formatReasonCounts, type ToldFailures } from './failure-lines.ts';
import { describeLeftOut } from './left-out.ts';
import { counted, formatBytes, formatCount, formatDuration, formatMilliseconds } from './quantities.ts';
import { wrapWords } from './screen.ts';
import { describeStatusReason } from './status-reason.ts';
import { isSuccess, type SuccessRule } from '../options/success-rule.ts';
import { fitColumns, formatTable, type TableColumn } from './text-table.ts';
import { cutToWidth } from './text-width.ts';

export interface TableOptions {
  /** City of a POP, for people. */
  readonly cityOf: (pop: string) => string;
  readonly color: boolean;
  /** Columns that a table may fill. */
  readonly width: number;
  /** Where sentences are wrapped; null: nowhere. */
  readonly wrap: number | null;
}

const MAX_CITY = 18;
const MAX_NAMES = 10;

function times(median: number | null, p95: number | null): string {
  return median === null || p95 === null ? '' : `${formatMilliseconds(median)} / ${formatMilliseconds(p95)}`;
}

const shortened = (text: string) => cutToWidth(text, MAX_CITY, '…');

/** A number of every POP that adds up: its heading, and how it is written. */
interface Sum {
  readonly head: string;
  readonly of: (pop: PopProgress) => number;
  readonly format: (value: number) => string;
  readonly rank?: number;
  /** It counts targets that are warm. */
  readonly isWarm?: true;
}

const NOT_TRIED = 'Not tried';
/** The API counts these as failed. */
const notTried = ({ failed_reasons: reasons }: PopProgress) => reasons['stopped'] ?? 0;

const SUMS: readonly Sum[] = [
  { head: 'Targets', of: (pop) => pop.total_count, format: formatCount },
  { head: 'Warmed', of: (pop) => pop.warmed_count, format: formatCount, rank: 6, isWarm: true },
  { head: 'Already', of: (pop) => pop.already_warm_count, format: formatCount, rank: 6, isWarm: true },
  { head: 'Failed', of: (pop) => pop.failed_count - notTried(pop), format: formatCount },
  { head: NOT_TRIED, of: notTried, format: formatCount, rank: 2 },
  { head: 'Verified', of: (pop) => pop.verified_count, format: formatCount, rank: 9 },
  { head: 'Bytes', of: (pop) => pop.download_size, format: formatBytes, rank: 8 },
];

/** A column of zeros tells least. */
const ZEROS_RANK = 10;
const MOST_RANK = 3;

/** Of the two columns of warm targets the one that holds more tells more of how it went than the times do. */
function rankOf({ rank, isWarm }: Sum, total: number, most: number): { readonly rank?: number } {
  if (rank === undefined) return {};
  if (total === 0) return { rank: ZEROS_RANK };
  return { rank: isWarm === true && total === most ? MOST_RANK : rank };
}

const FIRST_ASK = 'First ask, ms';
const LAST_CHECK = 'Last check, ms';

function popColumns(pops: readonly PopProgress[], { cityOf, color }: TableOptions): readonly TableColumn[] {
  const hasTotal = pops.length > 1;
  const cell = ({ head, format }: Sum, value: number) =>
    head === 'Failed' && value > 0 && color ? styleText('red', format(value), { validateStream: false }) : format(value);
  const wanted = SUMS.filter(({ head }) => head !== NOT_TRIED || pops.some((pop) => notTried(pop) > 0));
  const totalOf = (sum: Sum) => pops.reduce((whole, pop) => whole + sum.of(pop), 0);
  const most = Math.max(...wanted.filter(({ isWarm }) => isWarm === true).map(totalOf));
  const sums = wanted.map((sum): TableColumn => {
    const cells = pops.map((pop) => cell(sum, sum.of(pop)));
    const total = totalOf(sum);
    return { ...sum, ...rankOf(sum, total, most), cells: hasTotal ? [...cells, cell(sum, total)] : cells };
  });
  const names = pops.map(({ pop }) => pop);
  return [
    { head: 'POP', cells: hasTotal ? [...names, 'total'] : names, isText: true },
    { head: 'City', cells: names.map((pop) => shortened(cityOf(pop))), isText: true, rank: 7 },
    ...sums,
    { head: FIRST_ASK, cells: pops.map((pop) => times(pop.ttfb_before_median_ms, pop.ttfb_before_p95_ms)), rank: 4 },
    { head: LAST_CHECK, cells: pops.map((pop) => times(pop.ttfb_after_median_ms, pop.ttfb_after_p95_ms)), rank: 5 },
  ];
}

/** What the times are, for those of them that a table shows. */
const LEGENDS: Readonly<Record<string, string>> = {
  [FIRST_ASK]: 'First ask: first byte of the first request for each target',
  [LAST_CHECK]: 'Last check: first byte of its last hit',
};

/** One row per POP and their sum. What matters least is left out where it would not fit. */
export function formatPopTable(pops: readonly PopProgress[], options: TableOptions): string {
  const columns = popColumns(pops, options);
  const table = formatTable(columns, options.width);
  const told = fitColumns(columns, options.width).flatMap(({ head }) => LEGENDS[head] ?? []);
  if (told.length === 0) return table;
  return `${table}\n${wrapWords(`${told.join('. ')}. Median / p95 of what busy agents saw, to within 9 %.`, options.width)}`;
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
  if (progress.status === 'FINISHED' && progress.status_reason !== null) notes.push(`${plainText(progress.status_reason)}.`);
  return notes;
}

const PREFIXES: Partial<Record<Progress['status'], string>> = { TIMEOUT: 'Timed out: ', STOPPED: 'Stopped: ' };

/** How it ended, in one sentence, and why it ended early in another. */
export function formatClosing(progress: Progress, elapsedMs: number): string {
  const { total_count: total, download_count: done, verified_count: verified, stopped_count: stopped, status, status_reason } = progress;
  const reason = status_reason === null ? null : plainText(describeStatusReason(status_reason));
  if (status === 'FAILED') return `Nothing could be warmed${reason === null ? '' : `: ${reason}`}.`;
  const failed = progress.failed_count - stopped;
  const proof = done === 0 ? 'warm' : verified === done ? 'warm and verified' : `warm, ${formatCount(verified)} of them verified`;
  const rest = [
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
    ...(stopped > 0 ? [`${counted(stopped, 'target')} not tried`] : []),
  ].join(', ');
  const asides = `${rest === '' ? '' : `, ${rest}`}${rest !== '' || proof.includes(',') ? ',' : ''}`;
  const sentence = `${PREFIXES[status] ?? ''}${formatCount(done)} of ${counted(total, 'target')} ${proof}${asides} in ${formatDuration(elapsedMs)}${describeLeftOut(progress)}.`;
  return reason === null ? sentence : `${sentence} Reason: ${reason}.`;
}

const WHOLE: SuccessRule = { minimum: null, strict: false };

/** Everything that is printed at the end of a run. Ends with a line end. */
export function formatEnd(
  progress: Progress,
  pops: readonly PopProgress[],
  options: TableOptions & { readonly elapsedMs: number; readonly failures: ToldFailures | null },
): string {
  const { color, wrap, elapsedMs, failures } = options;
  const closing = wrapWords(formatClosing(progress, elapsedMs), wrap);
  const notes = formatNotes(progress, pops).map((note) => wrapWords(note, wrap));
  const blocks = [
    pops.length > 0 ? formatPopTable(pops, options) : '',
    failures === null ? formatReasonCounts(pops) : formatFailures(failures, wrap),
    notes.join('\n'),
    color ? styleText(isSuccess(progress, WHOLE) ? 'green' : 'red', closing, { validateStream: false }) : closing,
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}
