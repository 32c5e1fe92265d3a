import type { parse as CsvParse } from 'csv-parse/sync';
import { createCsvReader, type CsvReader } from './csv-rows.ts';
import type { TextLine } from '../core/text-lines.ts';

const DELIMITERS = [',', ';', '\t'] as const;

/** A table as its header tells it. */
interface TableHeader {
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
function columnAt(names: readonly string[], choice: ColumnChoice): number {
  if (typeof choice === 'number') return choice <= names.length ? choice - 1 : -1;
  return names.findIndex((cell) => nameOf(cell) === nameOf(choice));
}

/**
 * The header of a table by the delimiter that gives it a column named `wanted`, else by the one that gives it most columns.
 * Null: the line has one column only.
 */
function readHeader(line: TextLine, wanted: ColumnChoice, delimiters: readonly string[], parseCsv: typeof CsvParse): TableHeader | null {
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

/** A table. `column` is the place of the URLs from 0; null: the first rows with a URL tell it. */
export interface TableShape {
  readonly kind: 'table';
  readonly reader: CsvReader;
  readonly delimiter: string;
  readonly parseCsv: typeof CsvParse;
  readonly names: readonly string[];
  /** Columns of the header; a table without one may have rows of any width. */
  readonly width: number;
  column: number | null;
}

/** How the lines of a list are read. `strict`: a line that looks like a row of a table is a fault. */
export type Shape =
  | { readonly kind: 'lines'; readonly strict: boolean }
  | TableShape
  | { readonly kind: 'unusable'; readonly fault: string };

/** What the first line with content says. `isData`: it holds a URL itself, and is no header. */
export interface FirstLine {
  readonly shape: Shape;
  readonly isData: boolean;
}

export interface ShapeOptions {
  /** Null: the column named url. */
  readonly column: ColumnChoice | null;
  /** Paths may stand for URLs. */
  readonly hasBase: boolean;
  /** What a `sep=` line named; null: there was none. */
  readonly separator: string | null;
}

export const NO_COLUMN =
  'is neither a URL nor a header with a column named url; name the column url, give --column NAME or its number, or write one URL a line';

export const noHeader = (column: number): string =>
  `is a row of a table without a header: give --column ${column}, or put url above it (then each line below is one URL, commas and all)`;

const lines = (strict: boolean): Shape => ({ kind: 'lines', strict });

function table(header: TableHeader, column: number | null, width: number, parseCsv: typeof CsvParse): TableShape {
  const { delimiter, names } = header;
  return { kind: 'table', reader: createCsvReader(parseCsv, delimiter), delimiter, parseCsv, names, width, column };
}

const isUrlLike = (text: string) => /^"?\s*[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^"?https?:/i.test(text);

const isPathLike = (text: string) => /^"?\/(?!\/)/.test(text);

const shownNames = (names: readonly string[]) =>
  names
    .map((name) => name.trim())
    .join(', ')
    .slice(0, 200);

const AMBIGUOUS = 'can be split at several delimiters; write the right one above it, as in: sep=;';

/** The header by each delimiter under which the column that the user chose holds a URL. */
function urlHeaders(
  first: TextLine,
  column: ColumnChoice,
  delimiters: readonly string[],
  parseCsv: typeof CsvParse,
): readonly TableHeader[] {
  const headers = delimiters.map((delimiter) => readHeader(first, column, [delimiter], parseCsv));
  return headers.filter((header): header is TableHeader => header !== null && isUrl(header.names[columnAt(header.names, column)] ?? ''));
}

/** The shape of a list whose column the user chose. */
function chosenShape(
  header: TableHeader | null,
  first: string,
  column: ColumnChoice,
  options: ShapeOptions,
  parseCsv: typeof CsvParse,
): FirstLine {
  const holdsUrl = (cell: string) => isUrl(cell) || (options.hasBase && isPathLike(cell.trim()));
  const names = header?.names ?? [unquoted(first)];
  const at = columnAt(names, column);
  if (at < 0) {
    const fault = `has no column ${column}; its columns are: ${shownNames(names)}`;
    return { shape: { kind: 'unusable', fault }, isData: false };
  }
  const isData = typeof column === 'number' && holdsUrl(names[at] ?? '');
  if (header === null) return { shape: lines(false), isData };
  return { shape: table(header, at, isData ? Number.POSITIVE_INFINITY : names.length, parseCsv), isData };
}

function namedShape(header: TableHeader, at: number, parseCsv: typeof CsvParse): FirstLine {
  const again = columnAt(header.names.slice(at + 1), 'url');
  const fault = `has two columns named url; choose one by its number, as in --column ${at + 1}`;
  if (again >= 0) return { shape: { kind: 'unusable', fault }, isData: false };
  return { shape: table(header, at, header.names.length, parseCsv), isData: false };
}

/** What a header without a column named url says: the rows below it may still tell. */
function unnamedShape(header: TableHeader, parseCsv: typeof CsvParse): FirstLine {
  const urlAt = header.names.findIndex(isUrl);
  if (urlAt >= 0) return { shape: { kind: 'unusable', fault: noHeader(urlAt + 1) }, isData: false };
  return { shape: table(header, null, header.names.length, parseCsv), isData: false };
}

/** Finds out at its first line with content how a list is read. `parseCsv` is loaded only where there are columns. */
export async function findShape(first: TextLine, options: ShapeOptions): Promise<FirstLine> {
  const text = first.text.trim();
  const delimiters = options.separator === null ? DELIMITERS.filter((delimiter) => text.includes(delimiter)) : [options.separator];
  const isAddress = isUrlLike(text) || (options.hasBase && isPathLike(text));
  if (options.column === null && isAddress) return { shape: lines(true), isData: true };
  // A table of one column is a list: the commas in it belong to its URLs.
  if (options.column === null && unquoted(text).trim().toLowerCase() === 'url') return { shape: lines(false), isData: false };
  if (delimiters.length > 0) {
    const { parse } = await import('csv-parse/sync');
    const header = readHeader(first, options.column ?? 'url', delimiters, parse);
    if (options.column !== null) {
      const [split, other] = urlHeaders(first, options.column, delimiters, parse);
      if (other !== undefined) return { shape: { kind: 'unusable', fault: AMBIGUOUS }, isData: false };
      return chosenShape(split ?? header, text, options.column, options, parse);
    }
    const at = header === null ? -1 : columnAt(header.names, 'url');
    if (header !== null && at >= 0) return namedShape(header, at, parse);
    if (header !== null && !/[\0\ufffd]/.test(text)) return unnamedShape(header, parse);
  } else if (options.column !== null) {
    const { parse } = await import('csv-parse/sync');
    return chosenShape(null, text, options.column, options, parse);
  }
  return { shape: lines(true), isData: true };
}
