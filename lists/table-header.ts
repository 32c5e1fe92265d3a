import type { parse as CsvParse } from 'csv-parse/sync';
import { createCsvReader } from './csv-rows.ts';
import type { TextLine } from '../core/text-lines.ts';

export const DELIMITERS = [',', ';', '\t'] as const;

/** A table as its header tells it. */
export interface TableHeader {
  readonly delimiter: string;
  readonly names: readonly string[];
}

/** Which column holds the URLs: its name, or its number from 1. */
export type ColumnChoice = string | number;

const MIME_TYPE = /^(?:text|image|application|video|audio|font|model|multipart)\/[\w.+-]+/i;
const NUMBER = /^[-+]?\d+(?:[.,]\d+)?%?$/;

export const isUrl = (text: string): boolean => /^\s*https?:/i.test(text);

export const unquoted = (text: string): string =>
  text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;

/** The cells of one line; none where its quotes are wrong. */
export function cellsOf(line: TextLine, delimiter: string, parseCsv: typeof CsvParse): readonly string[] {
  const reader = createCsvReader(parseCsv, delimiter);
  reader.add(line);
  const [row] = reader.take(true);
  return row !== undefined && 'fields' in row ? row.fields : [];
}

/** The delimiter that a `sep=` line of Excel names; null: the line is another. */
export function separatorOf(text: string): string | null {
  return /^"?sep=(.)"?$/i.exec(text)?.[1] ?? (/^sep=\t?$/i.test(text) ? '\t' : null);
}

const nameOf = (cell: string) => cell.trim().toLowerCase();

/** The place of a column from 0; -1: there is none of that name or number. */
export function columnAt(names: readonly string[], choice: ColumnChoice): number {
  if (typeof choice === 'number') return choice <= names.length ? choice - 1 : -1;
  return names.findIndex((cell) => nameOf(cell) === nameOf(choice));
}

/**
 * The header of a table by the delimiter that gives it a column named `wanted`, else by the one that gives it most columns.
 * Null: the line has one column only.
 */
export function readHeader(
  line: TextLine,
  wanted: ColumnChoice,
  delimiters: readonly string[],
  parseCsv: typeof CsvParse,
): TableHeader | null {
  const headers = delimiters.map((delimiter) => ({ delimiter, names: cellsOf(line, delimiter, parseCsv) }));
  const named = typeof wanted === 'string' ? headers.find(({ names }) => columnAt(names, wanted) >= 0) : undefined;
  if (named !== undefined) return named;
  const widest = headers.reduce((best, header) => (header.names.length > best.names.length ? header : best));
  return widest.names.length > 1 ? widest : null;
}

function isOtherCell(cell: string): boolean {
  return cell.startsWith('"') || NUMBER.test(cell) || MIME_TYPE.test(cell) || isUrl(cell);
}

/**
 * Whether a line that begins with a URL is a row of a table: before any `?` a delimiter is followed by nothing, a quote, a
 * number, a MIME type or another URL. Other commas and semicolons belong to the URL.
 */
export function isTableRow(text: string): boolean {
  const query = text.indexOf('?');
  const path = query < 0 ? text : text.slice(0, query);
  const cells = path.split(/[,;\t]/);
  if (cells.length === 1) return false;
  // A cell that the query ends is none: what follows the mark belongs to it.
  const whole = query < 0 ? cells.slice(1) : cells.slice(1, -1);
  if (query < 0 && cells.at(-1)?.trim() === '') return true;
  return whole.some((cell) => isOtherCell(cell.trim()));
}
