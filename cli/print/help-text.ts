import { columnsOf, wrapWords } from './screen.ts';

const MAX_COLUMNS = 120;
/** Where there is no terminal, such as a pager or a file. */
const PIPED_COLUMNS = 80;

/** A command of an example and, two blanks or more behind it, what it does. */
const EXAMPLE = /^ {2}\$ (?<command>.+?)(?: {2,}(?<remark>.+))?$/;

/** Columns that a help text fills: more than 120 are hard to read. */
export function helpColumns(): number {
  return Math.min(MAX_COLUMNS, columnsOf(process.stdout, process.env, PIPED_COLUMNS));
}

/** The words of a command, options together with their values. */
function piecesOf(command: string): readonly string[] {
  const pieces: string[] = [];
  for (const word of command.match(/(?:'[^']*'|\$\([^)]*\)|\S)+/g) ?? []) {
    const last = pieces.at(-1);
    const isValue = last !== undefined && /^--[a-z-]+$/.test(last) && !word.startsWith('-');
    if (isValue) pieces[pieces.length - 1] = `${last} ${word}`;
    else pieces.push(word);
  }
  return pieces;
}

/** A command that is too long goes on in the next line as a shell understands it. */
function breakCommand(command: string, width: number): string {
  const lines: string[] = [];
  let current = '  $';
  let isEmpty = true;
  for (const piece of piecesOf(command)) {
    if (!isEmpty && current.length + 3 + piece.length > width) {
      lines.push(`${current} \\`);
      current = '     ';
    }
    current += ` ${piece}`;
    isEmpty = false;
  }
  return [...lines, current].join('\n');
}

function formatExample(line: string, { command = '', remark }: Readonly<Record<string, string | undefined>>, width: number): string {
  if (line.length <= width) return line;
  const broken = breakCommand(command, width);
  if (remark === undefined) return broken;
  const near = `${broken}  ${remark}`;
  return !broken.includes('\n') && near.length <= width ? near : `${broken}\n${wrapWords(`      ${remark}`, width)}`;
}

/** Sentences and examples below the options of a command: sentences are broken between words, commands so that they can be pasted. */
export function formatHelpText(text: string, width: number): string {
  const lines = text.split('\n').map((line) => {
    const example = EXAMPLE.exec(line);
    return example?.groups === undefined ? wrapWords(line, width) : formatExample(line, example.groups, width);
  });
  return lines.join('\n');
}

/** For `addHelpText`: the width is that of the moment when the help is asked for. */
export const helpText = (text: string) => (): string => formatHelpText(text, helpColumns());
