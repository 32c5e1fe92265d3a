import { textWidth } from './text-width.ts';

/** Of a terminal that does not tell. */
const TERMINAL_COLUMNS = 80;
/** Of a file or a pipe: every table has room for all its columns. */
const ELSEWHERE_COLUMNS = 132;

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Columns that a text may fill: those of the terminal, else COLUMNS, else 80 at a terminal and `elsewhere` (132) where there is none. */
export function columnsOf(stream: Output, env: NodeJS.ProcessEnv = process.env, elsewhere = ELSEWHERE_COLUMNS): number {
  if (stream.isTTY === true && stream.columns !== undefined && stream.columns > 0) return stream.columns;
  const given = Number(env['COLUMNS']);
  if (Number.isInteger(given) && given >= 20) return given;
  return stream.isTTY === true ? TERMINAL_COLUMNS : elsewhere;
}

/** What a sentence is wrapped at; null: it goes to a file or a program, where a line stays a line. */
export function wrapAt(stream: Output): number | null {
  return stream.isTTY === true ? columnsOf(stream) : null;
}

/** Blanks at which a line may be broken: not before the unit of a number, nor within `1 min 07 s`. */
const BREAK = / (?!(?<=\d )(?:ms|s|min|h|B|kB|MB|GB|TB|PB|%)(?![\p{L}\d]))(?!(?<=\d (?:min|h) )\d)/u;

function wrapLine(line: string, width: number, indent: string): string {
  if (textWidth(line) <= width) return line;
  const lines: string[] = [];
  const [, margin = '', rest = ''] = /^(\s*)(.*)$/.exec(line) ?? [];
  let current = margin;
  let filled = margin.length;
  let isEmpty = true;
  for (const word of rest.split(BREAK)) {
    const wordWidth = textWidth(word);
    if (!isEmpty && filled + 1 + wordWidth > width) {
      lines.push(current);
      current = `${margin}${indent}`;
      filled = current.length;
      isEmpty = true;
    }
    current += isEmpty ? word : ` ${word}`;
    filled += isEmpty ? wordWidth : wordWidth + 1;
    isEmpty = false;
  }
  return [...lines, current].join('\n');
}

/** Breaks lines between words; a word that is longer than a line, such as a URL, stays whole. `indent` begins what goes on. */
export function wrapWords(text: string, width: number | null, indent = ''): string {
  if (width === null) return text;
  return text
    .split('\n')
    .map((line) => wrapLine(line, width, indent))
    .join('\n');
}

/** A command that a note tells: it begins after a colon, and ends with the note or before a semicolon. */
const COMMAND = /(?<=: )(prewarm [a-z][a-z-]*(?: (?:'[^']*'|[^;'])*)?)(?:; |$)/;

/** Like wrapWords, for what is told beside results: each command in it has a line of its own, which can be pasted whole. */
export function wrapNote(text: string, width: number | null): string {
  if (width === null) return text;
  const lines = text.split('\n').flatMap((line) => {
    const pieces = line.split(COMMAND).filter((piece) => piece !== '');
    return pieces.map((piece) =>
      pieces.length > 1 && piece.startsWith('prewarm ') ? `  ${piece}` : wrapWords(piece.trimEnd(), width, '  '),
    );
  });
  return lines.join('\n');
}
