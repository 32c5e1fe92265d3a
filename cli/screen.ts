/** How wide a text may be where nobody tells. */
const DEFAULT_COLUMNS = 80;

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Columns that a table or a help text may fill: those of the terminal, else COLUMNS, else 80. */
export function columnsOf(stream: Output, env: NodeJS.ProcessEnv = process.env): number {
  if (stream.isTTY === true && stream.columns !== undefined && stream.columns > 0) return stream.columns;
  const given = Number(env['COLUMNS']);
  return Number.isInteger(given) && given >= 20 ? given : DEFAULT_COLUMNS;
}

/** What a sentence is wrapped at; null: it goes to a file or a program, where a line stays a line. */
export function wrapAt(stream: Output): number | null {
  return stream.isTTY === true ? columnsOf(stream) : null;
}

function wrapLine(line: string, width: number, indent: string): string {
  if (line.length <= width) return line;
  const lines: string[] = [];
  const [, margin = '', rest = ''] = /^(\s*)(.*)$/.exec(line) ?? [];
  let current = margin;
  let isEmpty = true;
  for (const word of rest.split(' ')) {
    if (!isEmpty && current.length + 1 + word.length > width) {
      lines.push(current);
      current = `${margin}${indent}`;
      isEmpty = true;
    }
    current += isEmpty ? word : ` ${word}`;
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
