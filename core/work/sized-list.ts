/**
 * Rows of the project's own lists: `url,value\n`, the URL quoted when it holds a comma. Normalised URLs hold neither quotes
 * nor line ends (the URL standard escapes both), so a line is a row and byte ranges cut at line ends are whole rows.
 */
export interface SizedRow {
  readonly url: string;
  /** Sized list: expected bytes, -1 unknown. */
  readonly bytes: number;
}

const quoted = (url: string) => (url.includes(',') ? `"${url}"` : url);

export function formatUrlRow(url: string): string {
  return `${quoted(url)}\n`;
}

export function formatSizedRow(url: string, bytes: number): string {
  return `${quoted(url)},${bytes < 0 ? '' : bytes}\n`;
}

export function formatFailedRow(url: string, reason: string): string {
  return `${quoted(url)},${reason}\n`;
}

/** The URL of a line without its line end, as written by one of the functions above. */
export function parseUrlLine(line: string): string {
  return line.startsWith('"') ? line.slice(1, line.indexOf('"', 1)) : line;
}

/** URL and second field of a line without its line end. */
export function parseValueLine(line: string): { url: string; value: string } {
  const comma = line.lastIndexOf(',');
  return { url: parseUrlLine(line.slice(0, comma)), value: line.slice(comma + 1) };
}

export function parseSizedLine(line: string): SizedRow {
  const { url, value } = parseValueLine(line);
  return { url, bytes: value === '' ? -1 : Number(value) };
}

/** Lines of a byte stream, without line ends, and the byte offset after each (its end included), from 0. Lines are ASCII. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<{ line: string; end: number }> {
  const decoder = new TextDecoder('latin1');
  let rest = '';
  let offset = 0;
  for await (const chunk of chunks) {
    const text = rest + decoder.decode(chunk);
    let start = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', start)) {
      offset += at + 1 - start;
      yield { line: text.slice(start, at), end: offset };
      start = at + 1;
    }
    rest = text.slice(start);
  }
}
