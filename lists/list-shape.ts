import type { parse as CsvParse } from 'csv-parse/sync';
import { type CsvReader, createCsvReader } from './csv-rows.ts';
import { type ColumnChoice, columnAt, DELIMITERS, isUrl, readHeader, type TableHeader, unquoted } from './table-header.ts';
import type { TextLine } from '../core/text-lines.ts';

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
