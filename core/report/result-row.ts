import { formatTimestamp } from '../clock.ts';
import type { Outcome, Reason } from '../work/outcome.ts';
import { plainText } from '../plain-text.ts';

/** Columns of a report, in order; scripts rely on them. */
export const REPORT_COLUMNS = [
  'url',
  'pop',
  'variant',
  'outcome',
  'reason',
  'status',
  'x_cache_first',
  'x_cache_last',
  'served_by',
  'address',
  'bytes',
  'attempts',
  'ttfb_ms',
  'total_ms',
  'finished_at',
  'notes',
] as const;

export const REPORT_HEADER = `${REPORT_COLUMNS.join(',')}\n`;

/** One target's row. Numbers that are not known are -1 and written empty. */
export interface ResultRow {
  url: string;
  pop: string;
  variant: string;
  outcome: Outcome;
  reason: Reason | '';
  /** Of the last whole GET; 0: no answer. */
  status: number;
  xCacheFirst: string;
  xCacheLast: string;
  servedBy: string;
  address: string;
  /** The object's length, read once. */
  bytes: number;
  /** Every GET, checks included. */
  attempts: number;
  ttfbMs: number;
  totalMs: number;
  finishedAt: number;
  /** `;`-separated. */
  notes: string;
}

const NEEDS_CARE = /[",\r\n=+\-@\t]/;

/**
 * One field of a CSV that is safe to open in a spreadsheet: a text that would start a formula there gets a leading
 * apostrophe. Written by hand because every target passes here: 4 times as fast as csv-stringify, whose output it equals (tested).
 */
export function csvField(text: string): string {
  if (!NEEDS_CARE.test(text)) return text;
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** What an edge sent: it may hold bytes that steer a terminal which shows the report. */
const headerField = (text: string): string => csvField(/[\u007f-\u009f]/.test(text) ? plainText(text) : text);

const FAILED_ROW = /^(?:"([^"]*)"|([^",]*)),[^,]*,(?:"(?:[^"]|"")*"|[^",]*),failed,/;

/** The URL of a formatted row (or its line) if its outcome is `failed`; null for others. A row is one line: nothing in it holds a line end. */
export function readFailedUrl(line: string): string | null {
  const match = FAILED_ROW.exec(line);
  return match === null ? null : (match[1] ?? match[2] ?? '');
}

/** What a failed target's row tells of the failure. */
export interface FailedRow {
  readonly url: string;
  readonly pop: string;
  readonly reason: string;
  /** What stood behind the reason, of the notes; '': they do not tell. */
  readonly cause: string;
}

const FIELD = /"((?:[^"]|"")*)"|([^,]*)/y;

/** The fields of a formatted row without its line end. Written by hand because a million failed targets may pass here. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  for (let at = 0; at <= line.length; at = FIELD.lastIndex + 1) {
    FIELD.lastIndex = at;
    const match = FIELD.exec(line);
    if (match === null) break;
    fields.push(match[1] === undefined ? (match[2] ?? '') : match[1].replaceAll('""', '"'));
  }
  return fields;
}

const URL_AT = REPORT_COLUMNS.indexOf('url');
const POP_AT = REPORT_COLUMNS.indexOf('pop');
const REASON_AT = REPORT_COLUMNS.indexOf('reason');
const NOTES_AT = REPORT_COLUMNS.indexOf('notes');

/** A formatted row (or its line) whose outcome is `failed`; null for others. */
export function readFailedRow(line: string): FailedRow | null {
  if (readFailedUrl(line) === null) return null;
  const fields = fieldsOf(line.endsWith('\n') ? line.slice(0, -1) : line);
  const cause = /(?:^|;)cause=(.*)$/.exec(fields[NOTES_AT] ?? '')?.[1] ?? '';
  return { url: fields[URL_AT] ?? '', pop: fields[POP_AT] ?? '', reason: fields[REASON_AT] ?? '', cause };
}

const MAX_CAUSE = 200;

/** A note of what stood behind a reason, the last one of a row: printable text that ends no note and no line; '' for none. */
export function causeNote(cause: string): string {
  if (cause === '') return '';
  const text = plainText(cause.replace(/[;\r\n]+/g, ','));
  return `cause=${text.length > MAX_CAUSE ? `${text.slice(0, MAX_CAUSE - 1).replace(/[\uD800-\uDBFF]$/, '')}…` : text}`;
}

const known = (value: number) => (value < 0 ? '' : Math.round(value * 1000) / 1000);

export function formatResultRow(row: ResultRow): string {
  return `${csvField(row.url)},${row.pop},${csvField(row.variant)},${row.outcome},${row.reason},${row.status > 0 ? row.status : ''},${headerField(row.xCacheFirst)},${headerField(row.xCacheLast)},${headerField(row.servedBy)},${row.address},${row.bytes < 0 ? '' : row.bytes},${row.attempts},${known(row.ttfbMs)},${known(row.totalMs)},${formatTimestamp(row.finishedAt)},${csvField(row.notes)}\n`;
}
