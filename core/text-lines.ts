/** One line without its end. `tooLong` lines come without their text. Lines count from 1. */
export interface TextLine {
  readonly line: number;
  readonly text: string;
  readonly tooLong: boolean;
}

/** Longer than any line with a usable URL and some columns beside it. */
export const MAX_LINE_CHARS = 65_536;

const LINE_END = /\r\n|\r|\n/g;

/**
 * Lines of UTF-8, ended by LF, CRLF or a lone CR, a byte order mark removed, in one batch a chunk. Bytes that are no
 * UTF-8 become U+FFFD. Memory stays flat: of a line that is too long only the fact is kept.
 */
export async function* readTextLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<readonly TextLine[]> {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  let skipping = false;
  let line = 1;
  const take = (text: string): TextLine => {
    const tooLong = skipping || text.length > MAX_LINE_CHARS;
    skipping = false;
    return { line: line++, text: tooLong ? '' : text, tooLong };
  };

  function split(text: string): TextLine[] {
    const lines: TextLine[] = [];
    // A CR at the end of a chunk may be the first half of a CRLF.
    const usable = text.endsWith('\r') ? text.length - 1 : text.length;
    let start = 0;
    LINE_END.lastIndex = 0;
    for (let end = LINE_END.exec(text); end !== null && end.index < usable; end = LINE_END.exec(text)) {
      lines.push(take(text.slice(start, end.index)));
      start = LINE_END.lastIndex;
    }
    rest = text.slice(start);
    if (rest.length > MAX_LINE_CHARS) {
      skipping = true;
      rest = rest.endsWith('\r') ? '\r' : '';
    }
    return lines;
  }

  for await (const chunk of chunks) {
    const lines = split(rest + decoder.decode(chunk, { stream: true }));
    if (lines.length > 0) yield lines;
  }
  const last = rest + decoder.decode();
  const lines = split(`${last.endsWith('\r') ? last.slice(0, -1) : last}\n`);
  // The end of the last line begins no further one.
  if (last !== '' || lines[0]?.tooLong) yield lines;
}
