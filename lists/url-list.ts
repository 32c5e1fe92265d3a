import type { InputFault } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import type { UrlIntake } from '../core/request/url-intake.ts';
import type { CsvRow } from './csv-rows.ts';
import { foreignBytes, foreignLine } from './foreign-content.ts';
import {
  cellsOf,
  type ColumnChoice,
  findShape,
  isTableRow,
  isUrl,
  NO_COLUMN,
  noHeader,
  separatorOf,
  type Shape,
  type TableShape,
  unquoted,
} from './list-shape.ts';
import { MAX_LINE_CHARS, readTextLines, type TextLine } from '../core/text-lines.ts';

export interface UrlListOptions {
  /** What the file is called in faults: its name, or `standard input`. */
  readonly field: string;
  /** Shared with the request's other URLs, so that duplicates are found across them. */
  readonly intake: UrlIntake;
  /** The column of the URLs, by name or by number from 1. Absent or null: the one named url, or the only one that holds URLs. */
  readonly column?: ColumnChoice | null;
  /** `https://host` of the paths in the list. Absent or null: paths are faults. */
  readonly base?: string | null;
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
  /** The list as a whole could not be used (another format, no url column, no URL): leaving lines out would not mend it. */
  readonly unusable: boolean;
  /** The column that was taken because it alone holds URLs; absent: none had to be found so. */
  readonly foundColumn?: string;
}

export interface UrlList {
  /** New URLs, normalised, in the order of the file. Bad lines are noted and passed over; the caller judges by the figures. */
  readonly batches: AsyncIterable<readonly string[]>;
  figures(): UrlListFigures;
}

const MAX_FAULTS = 20;
/** Rows that may stand between a header and the first URL before a table counts as one without URLs. */
const MAX_ROWS_WITHOUT_URL = 20;
const TOO_LONG = `has more than ${MAX_LINE_CHARS} characters; write one URL a line`;
const PATH = 'is a path; say which host it belongs to, as in --base https://www.example.com';
const COMMENTED_ROW = 'begins with # and has a URL in its column; remove the # where the row is meant, else the line';

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

/** Null: text. The decoder has put U+FFFD for each byte that was not UTF-8. */
function junkIn(text: string): string | null {
  if (text.includes('\0')) return 'holds NUL bytes; this is no text file, or not in UTF-8';
  if (text.includes('\ufffd')) return 'is not valid UTF-8; save the list as UTF-8, or percent-encode the URL';
  return null;
}

const isPath = (text: string) => !/^[a-z][a-z0-9+.-]*:/i.test(text) && !text.startsWith('//');

/** The URL of a path at `base`; a text that is no path stays as it is. */
export function atBase(raw: string, base: string): string {
  const text = raw.trim();
  return isPath(text) ? `${base}${text.startsWith('/') ? '' : '/'}${text}` : raw;
}

/** Reads a list in constant memory: a table with a column of URLs, or one URL a line (blank lines and `#` comments skipped). */
class ListReader {
  readonly #options: UrlListOptions;
  readonly #faults: InputFault[] = [];
  #count = 0;
  #duplicates = 0;
  #faultCount = 0;
  #unusable = false;
  #shape: Shape | null = null;
  #separator: string | null = null;
  #sawText = false;
  #foundColumn: string | null = null;
  /** Rows of a table before its column is known. */
  #held: CsvRow[] = [];

  constructor(options: UrlListOptions) {
    this.#options = options;
  }

  figures(): UrlListFigures {
    return {
      count: this.#count,
      duplicates: this.#duplicates,
      faultCount: this.#faultCount,
      faults: [...this.#faults],
      unusable: this.#unusable,
      ...(this.#foundColumn === null ? {} : { foundColumn: this.#foundColumn }),
    };
  }

  refuse(message: string, line?: TextLine): void {
    this.#unusable = true;
    this.#shape = { kind: 'unusable', fault: message };
    this.#fault(line?.line, line?.text ?? '', message);
  }

  async takeLine(line: TextLine, batch: string[]): Promise<void> {
    if (this.#shape?.kind === 'unusable') return;
    if (line.tooLong) {
      this.#fault(line.line, '', TOO_LONG);
      return;
    }
    if (this.#shape?.kind === 'table') {
      this.#takeTableLine(this.#shape, line);
      return;
    }
    // A byte order mark counts as white space; inside a list nobody means it, so it stays to be told.
    const text = line.text.includes('\ufeff') ? line.text : line.text.trim();
    if (text === '') return;
    if (this.#shape !== null) {
      if (!text.startsWith('#')) this.#takeText(text, line.line, this.#shape.strict, batch);
      return;
    }
    const foreign = this.#sawText ? null : foreignLine(text);
    this.#sawText = true;
    if (foreign !== null) {
      this.refuse(foreign, line);
      return;
    }
    const separator = separatorOf(line.text.trimEnd() === 'sep=' ? line.text : text);
    if (separator !== null) this.#separator = separator;
    else if (text.startsWith('#')) await this.#takeHeaderComment(line);
    else await this.#takeFirst(line, batch);
  }

  /** Takes the rows that are complete by now; with `end`, all that are left. */
  takeRows(end: boolean, batch: string[]): void {
    const table = this.#shape;
    if (table?.kind !== 'table') return;
    for (const row of table.reader.take(end)) {
      if (this.#unusable) return;
      if (table.column === null) this.#holdRow(table, row, batch);
      else this.#takeRow(table, table.column, row, batch);
    }
    if (end && table.column === null && this.#held.length > 0)
      this.refuse(NO_COLUMN, { line: 1, text: table.names.join(table.delimiter), tooLong: false });
  }

  #fault(line: number | undefined, value: string, message: string): void {
    this.#faultCount++;
    if (this.#faults.length < MAX_FAULTS) this.#faults.push(inputFault(this.#options.field, value, message, line));
  }

  #takeUrl(raw: string, line: number, batch: string[]): void {
    const { base = null, intake } = this.#options;
    const wrong = junkIn(raw) ?? (base === null && /^\s*\/(?!\/)/.test(raw) ? PATH : null);
    if (wrong !== null) {
      this.#fault(line, raw, wrong);
      return;
    }
    const taken = intake.add(base === null ? raw : atBase(raw, base));
    if ('fault' in taken) this.#fault(line, raw, taken.fault);
    else if (taken.isNew) {
      this.#count++;
      batch.push(taken.url);
    } else this.#duplicates++;
  }

  #takeText(text: string, line: number, strict: boolean, batch: string[]): void {
    if (strict && isTableRow(text)) this.#fault(line, text, noHeader(1));
    else this.#takeUrl(unquoted(text), line, batch);
  }

  async #takeFirst(line: TextLine, batch: string[]): Promise<void> {
    const { column = null, base = null } = this.#options;
    const { shape, isData } = await findShape(line, { column, hasBase: base !== null, separator: this.#separator });
    this.#shape = shape;
    if (shape.kind === 'unusable') this.refuse(shape.fault, line);
    else if (isData && shape.kind === 'table') this.#takeTableLine(shape, line);
    else if (isData && shape.kind === 'lines') {
      const text = line.text.includes('\ufeff') ? line.text : line.text.trim();
      const isWord = !/[./:]/.test(text) && junkIn(text) === null;
      if (isWord) this.#fault(line.line, line.text, NO_COLUMN);
      else this.#takeText(text, line.line, shape.strict, batch);
    }
  }

  /** A header that is written as a comment, `#url,views`; any other comment says nothing. */
  async #takeHeaderComment(line: TextLine): Promise<void> {
    const { column = null } = this.#options;
    const bare = { ...line, text: line.text.trim().slice(1).trim() };
    if (isUrl(bare.text) || foreignLine(bare.text) !== null) return;
    const { shape } = await findShape(bare, { column, hasBase: false, separator: this.#separator });
    if (shape.kind === 'table' && shape.column !== null && shape.width !== Number.POSITIVE_INFINITY) this.#shape = shape;
  }

  #takeTableLine(table: TableShape, line: TextLine): void {
    if (table.reader.isOpen() || !line.text.trimStart().startsWith('#')) {
      table.reader.add(line);
      return;
    }
    const cell = table.column === null ? '' : (cellsOf(line, table.delimiter, table.parseCsv)[table.column] ?? '');
    if (isUrl(cell)) this.#fault(line.line, line.text, COMMENTED_ROW);
  }

  #holdRow(table: TableShape, row: CsvRow, batch: string[]): void {
    const { base = null } = this.#options;
    const holdsUrl = (cell: string) => isUrl(cell) || (base !== null && /^\s*\/(?!\/)/.test(cell));
    const places = 'fields' in row ? row.fields.flatMap((cell, at) => (holdsUrl(cell) ? [at] : [])) : [];
    const names = places.map((at) => table.names[at]?.trim() || `number ${at + 1}`);
    this.#held.push(row);
    if (places.length === 0 && this.#held.length <= MAX_ROWS_WITHOUT_URL) return;
    const [at, second] = places;
    const header = { line: 1, text: table.names.join(table.delimiter), tooLong: false };
    if (at === undefined) {
      this.refuse(NO_COLUMN, header);
      return;
    }
    if (second !== undefined) {
      this.refuse(`has more than one column of URLs: ${names.join(', ')}; choose one, as in --column ${at + 1}`, header);
      return;
    }
    // Plain URLs below a title with a comma look like this too: they would lose what follows their own commas.
    const text = 'fields' in row ? row.fields.join(table.delimiter) : '';
    if (at === 0 && !isTableRow(text)) {
      this.refuse(
        `may be a title, or a header without a column named url; give --column ${JSON.stringify(names[0])}, or leave the line out`,
        header,
      );
      return;
    }
    table.column = at;
    this.#foundColumn = names[0] ?? null;
    for (const held of this.#held) this.#takeRow(table, at, held, batch);
    this.#held = [];
  }

  #takeRow({ width }: TableShape, column: number, row: CsvRow, batch: string[]): void {
    if ('fault' in row) {
      this.#fault(row.line, row.text, row.fault);
      return;
    }
    const { fields, line } = row;
    if (fields.every((cell) => cell.trim() === '')) return;
    const cell = fields[column] ?? '';
    if (fields.slice(width).some((extra) => extra.trim() !== '')) {
      this.#fault(line, fields.join(' | '), `has ${fields.length} columns, the header ${width}; quote fields that hold the delimiter`);
    } else if (fields.length < width && isTableRow(cell)) {
      this.#fault(line, cell, 'has another delimiter than the header; use one in the whole table');
    } else if (cell.trim() === '') this.#fault(line, fields.join(' | '), 'has nothing in the url column; write a URL there');
    else this.#takeUrl(cell, line, batch);
  }
}

async function* readBatches(chunks: AsyncIterable<Uint8Array>, reader: ListReader): AsyncGenerator<readonly string[]> {
  let empty = true;
  async function* text(): AsyncGenerator<Uint8Array> {
    for await (const chunk of joinHead(chunks)) {
      const foreign = empty ? foreignBytes(chunk) : null;
      empty = false;
      if (foreign !== null) {
        reader.refuse(foreign);
        return;
      }
      yield chunk;
    }
  }
  for await (const lines of readTextLines(text())) {
    const batch: string[] = [];
    for (const line of lines) await reader.takeLine(line, batch);
    reader.takeRows(false, batch);
    if (batch.length > 0) yield batch;
  }
  const rest: string[] = [];
  reader.takeRows(true, rest);
  if (rest.length > 0) yield rest;
  const { count, duplicates, faultCount } = reader.figures();
  if (empty) reader.refuse('is empty; write one URL a line, or CSV with a column named url');
  else if (count + duplicates + faultCount === 0) reader.refuse('holds no URL; write one a line, or CSV with a column named url');
}

/** Reads a list in constant memory. Throws nothing but what reading the chunks throws: faults are in the figures. */
export function readUrlList(chunks: AsyncIterable<Uint8Array>, options: UrlListOptions): UrlList {
  const reader = new ListReader(options);
  return { batches: readBatches(chunks, reader), figures: () => reader.figures() };
}
