import type { parse as CsvParse } from 'csv-parse/sync';
import type { InputFault } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import type { UrlIntake } from '../core/url-intake.ts';
import { type CsvReader, type CsvRow, createCsvReader } from './csv-rows.ts';
import { MAX_LINE_CHARS, readTextLines, type TextLine } from './text-lines.ts';

export interface UrlListOptions {
  /** What the file is called in faults: its name, or `standard input`. */
  readonly field: string;
  /** Shared with the request's other URLs, so that duplicates are found across them. */
  readonly intake: UrlIntake;
}

/** Figures of a list; complete once `batches` has been read to its end. */
export interface UrlListFigures {
  /** Distinct URLs that the list brought in. */
  readonly count: number;
  /** Good lines whose URL had been taken before. */
  readonly duplicates: number;
  readonly faultCount: number;
  /** The first 20. */
  readonly faults: readonly InputFault[];
  /** The list as a whole could not be used (another format, no url column, no URL): nothing that leaving lines out would mend. */
  readonly unusable: boolean;
}

export interface UrlList {
  /** New URLs, normalised, in the order of the file. Bad lines are noted and passed over; the caller judges by the figures. */
  readonly batches: AsyncIterable<readonly string[]>;
  figures(): UrlListFigures;
}

/** How the lines of a list are read, found out at its first line. */
type Shape =
  | { readonly kind: 'plain' }
  | { readonly kind: 'csv'; readonly reader: CsvReader; readonly column: number; readonly width: number }
  | { readonly kind: 'unusable' };

const MAX_FAULTS = 20;
const DELIMITERS = [',', ';', '\t'] as const;
const NO_COLUMN = 'is neither a URL nor a header with a column named url; name the column url, or write one URL a line';
const TOO_LONG = `has more than ${MAX_LINE_CHARS} characters; write one URL a line`;

/** Null: nothing speaks against text in UTF-8. */
function foreignFormat(head: Uint8Array): string | null {
  const [a, b, c, d] = head;
  const utf16 = 'is UTF-16; save it as UTF-8 ("CSV UTF-8" in Excel, or: iconv -f UTF-16 -t UTF-8)';
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return utf16;
  if ((a !== 0 && b === 0 && c !== 0 && d === 0) || (a === 0 && b !== 0 && c === 0 && d !== 0)) return utf16;
  if (a === 0x1f && b === 0x8b) return 'is compressed by gzip; unpack it first (gunzip)';
  if (a === 0x50 && b === 0x4b && c === 3 && d === 4) return 'is a zip archive or an Excel workbook; unpack it, or save it as "CSV UTF-8"';
  return null;
}

/** The chunks with their first four bytes in the first of them. */
async function* joinHead(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | null = new Uint8Array(0);
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 4) continue;
    yield head;
    head = null;
  }
  if (head !== null && head.length > 0) yield head;
}

const unquoted = (text: string) => (/^".*"$/.test(text) ? text.slice(1, -1).replaceAll('""', '"') : text);

function isUrlLike(text: string): boolean {
  return /^"?\s*[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^"?https?:/i.test(text);
}

/** Delimiter and column of a CSV header; null: no column is named `url`. */
function findUrlColumn(header: TextLine, parseCsv: typeof CsvParse): { delimiter: string; column: number; width: number } | null {
  for (const delimiter of DELIMITERS) {
    const reader = createCsvReader(parseCsv, delimiter);
    reader.add(header);
    const [row] = reader.take(true);
    const cells = row !== undefined && 'fields' in row ? row.fields : [];
    const column = cells.findIndex((cell) => cell.trim().toLowerCase() === 'url');
    if (column >= 0) return { delimiter, column, width: cells.length };
  }
  return null;
}

/** Reads a list in constant memory: CSV with a `url` column, or one URL a line (blank lines and `#` comments skipped). */
export function readUrlList(chunks: AsyncIterable<Uint8Array>, options: UrlListOptions): UrlList {
  const { field, intake } = options;
  const faults: InputFault[] = [];
  let count = 0;
  let duplicates = 0;
  let faultCount = 0;
  let unusable = false;
  let shape: Shape | null = null;

  function fault(line: number | undefined, value: string, message: string): void {
    faultCount++;
    if (faults.length < MAX_FAULTS) faults.push(inputFault(field, value, message, line));
  }

  function refuse(message: string, line?: TextLine): void {
    unusable = true;
    fault(line?.line, line?.text ?? '', message);
  }

  function takeUrl(raw: string, line: number, batch: string[]): void {
    const junk = junkIn(raw);
    const taken = junk === null ? intake.add(raw) : { fault: junk };
    if ('fault' in taken) fault(line, raw, taken.fault);
    else if (taken.isNew) {
      count++;
      batch.push(taken.url);
    } else duplicates++;
  }

  async function findShape(first: TextLine, batch: string[]): Promise<Shape> {
    const { text, line } = first;
    const head = text.trim();
    const junk = junkIn(text);
    const hasColumns = DELIMITERS.some((delimiter) => head.includes(delimiter));
    if (isUrlLike(head) || junk !== null || (!hasColumns && /[./]/.test(head))) {
      takeUrl(unquoted(head), line, batch);
      return { kind: 'plain' };
    }
    // A table of one column is a list: the commas in it belong to its URLs.
    if (unquoted(head).trim().toLowerCase() === 'url') return { kind: 'plain' };
    if (hasColumns) {
      const { parse } = await import('csv-parse/sync');
      const found = findUrlColumn(first, parse);
      if (found !== null) return { kind: 'csv', reader: createCsvReader(parse, found.delimiter), ...found };
    }
    if (hasColumns) {
      refuse(NO_COLUMN, first);
      return { kind: 'unusable' };
    }
    fault(line, text, NO_COLUMN);
    return { kind: 'plain' };
  }

  function takeRow(row: CsvRow, { column, width }: { column: number; width: number }, batch: string[]): void {
    if ('fault' in row) {
      fault(row.line, row.text, row.fault);
      return;
    }
    const { fields, line } = row;
    if (fields.every((cell) => cell.trim() === '')) return;
    if (fields.slice(width).some((cell) => cell.trim() !== '')) {
      fault(line, fields.join(' | '), `has ${fields.length} columns, the header ${width}; quote fields that hold the delimiter`);
    } else if ((fields[column] ?? '').trim() === '') fault(line, fields.join(' | '), 'has nothing in the url column; write a URL there');
    else takeUrl(fields[column] ?? '', line, batch);
  }

  async function takeLine(line: TextLine, batch: string[]): Promise<void> {
    if (line.tooLong) {
      fault(line.line, '', TOO_LONG);
      return;
    }
    if (shape?.kind === 'csv') {
      shape.reader.add(line);
      return;
    }
    const text = line.text.trim();
    if (text === '' || text.startsWith('#')) return;
    if (shape === null) shape = await findShape(line, batch);
    else if (shape.kind === 'plain') takeUrl(unquoted(text), line.line, batch);
  }

  async function* batches(): AsyncGenerator<readonly string[]> {
    let empty = true;
    const whole = async function* () {
      for await (const chunk of joinHead(chunks)) {
        const foreign = empty ? foreignFormat(chunk) : null;
        empty = false;
        if (foreign !== null) {
          refuse(foreign);
          return;
        }
        yield chunk;
      }
    };
    for await (const lines of readTextLines(whole())) {
      const batch: string[] = [];
      for (const line of lines) await takeLine(line, batch);
      if (shape?.kind === 'csv') for (const row of shape.reader.take(false)) takeRow(row, shape, batch);
      if (batch.length > 0) yield batch;
    }
    const rest: string[] = [];
    if (shape?.kind === 'csv') for (const row of shape.reader.take(true)) takeRow(row, shape, rest);
    if (rest.length > 0) yield rest;
    if (empty) refuse('is empty; write one URL a line, or CSV with a column named url');
    else if (count + duplicates + faultCount === 0) refuse('holds no URL; write one a line, or CSV with a column named url');
  }

  return { batches: batches(), figures: () => ({ count, duplicates, faultCount, faults: [...faults], unusable }) };
}

/** Null: text. The decoder has put U+FFFD for what was no UTF-8. */
function junkIn(text: string): string | null {
  if (text.includes('\0')) return 'holds NUL bytes; this is no text file, or not in UTF-8';
  if (text.includes('\ufffd')) return 'is not valid UTF-8; save the list as UTF-8, or percent-encode the URL';
  return null;
}
