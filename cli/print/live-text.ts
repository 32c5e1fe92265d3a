import { cutToWidth } from './text-width.ts';

/** Text of several lines that is drawn over itself at a terminal. */
export interface LiveText {
  show(text: string): void;
  /** A line above it. */
  note(line: string): void;
  /** Takes it from the screen. */
  clear(): void;
}

const ERASE_BELOW = '\u001b[J';
const ERASE_LINE = '\u001b[K';
const cursorUp = (lines: number) => (lines === 0 ? '' : `\u001b[${lines}A`);

/** What text is drawn on. */
export interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
}

/** Columns that text may fill without wrapping. Some terminals wrap when the last column is full, so it stays free. */
export function usableColumns({ columns = 0 }: Terminal): number {
  return (columns > 0 ? columns : 80) - 1;
}

/** Longer lines are cut, since a line that wraps is two for the cursor; of more lines than the screen has, the first are shown. */
export function createLiveText(stream: Terminal): LiveText {
  let shown = '';
  let drawn = '';
  let height = 0;
  const fitScreen = (text: string) => {
    const width = usableColumns(stream);
    const lines = text
      .trimEnd()
      .split('\n')
      .slice(0, (stream.rows || 24) - 1);
    return lines.map((line) => cutToWidth(line, width));
  };
  const draw = (before: string, text: string) => {
    const lines = text === '' ? [] : fitScreen(text);
    const frame = lines.map((line) => `${line}\n`).join('');
    shown = text;
    if (before === '' && frame === drawn) return;
    // Erasing all below the top left corner is clearing the screen, which tmux moves into its history: so lines are erased one by one.
    const isCovered = before === '' && lines.length > 0;
    const emptied = isCovered ? '' : `${`${ERASE_LINE}\n`.repeat(height)}${cursorUp(height)}`;
    const written = `${before}${lines.map((line) => `${ERASE_LINE}${line}\n`).join('')}`;
    stream.write(`${cursorUp(height)}\r${emptied}${written}${written === '' ? '' : ERASE_BELOW}`);
    height = lines.length;
    drawn = frame;
  };
  return {
    show: (text) => draw('', text),
    note: (line) => draw(`${line}\n`, shown),
    clear: () => draw('', ''),
  };
}
