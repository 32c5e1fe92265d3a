import { stripVTControlCharacters } from 'node:util';

/** Text of several lines that is drawn over itself at a terminal. */
export interface LiveText {
  show(text: string): void;
  /** A line above it. */
  note(line: string): void;
  /** Takes it from the screen. */
  clear(): void;
}

const ERASE_BELOW = '\u001b[J';
const cursorUp = (lines: number) => (lines === 0 ? '' : `\u001b[${lines}A`);

interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
}

/** Longer lines are cut, since a line that wraps is two for the cursor; of more lines than the screen has, the first are shown. */
export function createLiveText(stream: Terminal): LiveText {
  let shown = '';
  let height = 0;
  const fitScreen = (text: string) => {
    const width = (stream.columns ?? 80) - 1;
    const lines = text
      .trimEnd()
      .split('\n')
      .slice(0, (stream.rows ?? 24) - 1);
    return lines.map((line) => {
      const plain = stripVTControlCharacters(line);
      return plain.length > width ? plain.slice(0, width) : line;
    });
  };
  const draw = (before: string, text: string) => {
    const lines = text === '' ? [] : fitScreen(text);
    stream.write(`${cursorUp(height)}\r${ERASE_BELOW}${before}${lines.map((line) => `${line}\n`).join('')}`);
    height = lines.length;
    shown = text;
  };
  return {
    show: (text) => draw('', text),
    note: (line) => draw(`${line}\n`, shown),
    clear: () => draw('', ''),
  };
}
