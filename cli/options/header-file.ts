import { readFileSync } from 'node:fs';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { parseSecretHeaders } from '../../core/keep-warm/secret-headers.ts';

const FLAG = '--header-file';

const nameOf = (line: string) => line.split(':', 1)[0]?.trim().toLowerCase() ?? '';

/**
 * Header lines of `--header` and of the file, which nobody else sees on the command line. Faults of the file name headers and
 * never show a value. `path` undefined: there is no file.
 */
export function withHeaderFile(given: readonly string[], path: string | undefined, faults: InputFault[]): readonly string[] {
  if (path === undefined) return given;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    faults.push(inputFault(FLAG, path, `cannot be read (${code}); name a file with one "Name: value" a line`));
    return given;
  }
  const names = new Set(given.map(nameOf));
  const before = faults.length;
  const inFile = parseSecretHeaders(text, FLAG, faults);
  for (const line of inFile)
    if (names.has(nameOf(line))) faults.push(inputFault(FLAG, nameOf(line), 'is given by --header too; give it once'));
  // Whoever judges the headers next would show what is wrong with them.
  if (faults.length > before) return given;
  return [...given, ...inFile];
}
