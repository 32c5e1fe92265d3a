import type { parse } from 'csv-parse/sync';
import type { TextLine } from '../core/text-lines.ts';

/** A row and the line it starts on, or why there is none. */
export type CsvRow =
  | { readonly line: number; readonly fields: readonly string[] }
  | { readonly line: number; readonly text: string; readonly fault: string };

type Parse = typeof parse;

interface RawRecord {
  readonly line: number;
  readonly text: string;
}

/** A quote that is not closed within so many lines or characters was never meant to span them. */
const MAX_RECORD_LINES = 100;
const MAX_RECORD_CHARS = 65_536;

const BAD_QUOTES = 'has quotes that CSV does not allow; quote a whole field, and double the quotes inside it';
const UNCLOSED = 'opens a quote that is not closed; close it, or double the quotes inside a field';

function quotesIn(text: string): number {
  let quotes = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) quotes++;
  return quotes;
}

/**
 * Joins lines to records: a record ends where its quotes are balanced. A stray quote costs its own line only: where it
 * stays open too long, reading goes on with the line after it.
 */
function createRecordJoiner(emit: (record: RawRecord) => void, fail: (record: RawRecord, message: string) => void) {
  let open: RawRecord[] = [];
  let quotes = 0;
  let chars = 0;

  function add(line: RawRecord): void {
    const inside = quotesIn(line.text);
    if (open.length === 0 && inside % 2 === 0) {
      emit(line);
      return;
    }
    open.push(line);
    quotes += inside;
    chars += line.text.length;
    if (quotes % 2 === 0) {
      emit({ line: open[0]?.line ?? line.line, text: open.map((part) => part.text).join('\n') });
      open = [];
      quotes = 0;
      chars = 0;
    } else if (open.length > MAX_RECORD_LINES || chars > MAX_RECORD_CHARS) giveUp();
  }

  function giveUp(): void {
    const [first, ...others] = open;
    open = [];
    quotes = 0;
    chars = 0;
    if (first !== undefined) fail(first, UNCLOSED);
    for (const other of others) add(other);
  }

  return {
    add,
    isOpen: () => open.length > 0,
    end(): void {
      while (open.length > 0) giveUp();
    },
  };
}

function parseOne(parseCsv: Parse, record: RawRecord, delimiter: string): CsvRow {
  try {
    const [fields] = parseCsv(record.text, { delimiter, record_delimiter: '\n', relax_column_count: true });
    return fields === undefined ? { ...record, fault: BAD_QUOTES } : { line: record.line, fields };
  } catch {
    // The parser refuses one record: that is a finding about the input, which the row carries.
    return { ...record, fault: BAD_QUOTES };
  }
}

/** All records at once, since starting the parser costs more than a record; each by itself where one of them is malformed. */
function parseBatch(parseCsv: Parse, records: readonly RawRecord[], delimiter: string): readonly CsvRow[] {
  try {
    const text = records.map((record) => record.text).join('\n');
    const rows: string[][] = parseCsv(text, { delimiter, record_delimiter: '\n', relax_column_count: true });
    if (rows.length === records.length) return rows.map((fields, at) => ({ line: records[at]?.line ?? 0, fields }));
  } catch {
    // Falls through: which record it is shows when each is parsed by itself.
  }
  return records.map((record) => parseOne(parseCsv, record, delimiter));
}

export interface CsvReader {
  add(line: TextLine): void;
  /** The next line belongs to a field that began on an earlier one. */
  isOpen(): boolean;
  /** Rows that are complete by now; with `end`, all that are left. */
  take(end: boolean): readonly CsvRow[];
}

/** Rows of a CSV, read line by line so that a bad one stops nothing. `parseCsv` is csv-parse's. Blank lines are skipped. */
export function createCsvReader(parseCsv: Parse, delimiter: string): CsvReader {
  let records: RawRecord[] = [];
  let failed: CsvRow[] = [];
  const joiner = createRecordJoiner(
    (record) => {
      if (record.text.trim() !== '') records.push(record);
    },
    ({ line, text }, fault) => failed.push({ line, text, fault }),
  );
  return {
    add: (line) => joiner.add(line),
    isOpen: () => joiner.isOpen(),
    take(end) {
      if (end) joiner.end();
      const rows = records.length > 0 ? parseBatch(parseCsv, records, delimiter) : [];
      const all = failed.length > 0 ? [...failed, ...rows].sort((a, b) => a.line - b.line) : rows;
      records = [];
      failed = [];
      return all;
    },
  };
}
