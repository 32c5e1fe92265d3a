import type { InputFault } from '../errors.ts';
import { parseHeaders } from '../request/headers.ts';
import { inputFault } from '../input-fault.ts';

const REMEDY = 'write one "Name: value" a line, or JSON: {"Name": "value"} or ["Name: value"]';

/** Names are shown in faults, values never: what has no colon is no name. */
const nameOf = (line: string) => /^([\w-]{1,80}):/.exec(line)?.[1] ?? '';

function linesOf(value: unknown): readonly string[] | null {
  if (Array.isArray(value)) return value.every((line): line is string => typeof line === 'string') ? value : null;
  if (typeof value !== 'object' || value === null) return null;
  const entries = Object.entries(value);
  return entries.every(([, text]) => typeof text === 'string') ? entries.map(([name, text]) => `${name}: ${String(text)}`) : null;
}

function readLines(text: string): readonly string[] | null {
  if (!/^\s*[[{]/.test(text)) return text.split(/\r?\n/).filter((line) => line.trim() !== '');
  try {
    return linesOf(JSON.parse(text));
  } catch {
    // What JSON says of it could quote it.
    return null;
  }
}

/** Header lines out of a secret's text; what is wrong is added to `faults`, without a value. `field`: what the secret is called. */
export function parseSecretHeaders(text: string, field: string, faults: InputFault[]): readonly string[] {
  const lines = readLines(text);
  if (lines === null) {
    faults.push(inputFault(field, '', `holds no headers; ${REMEDY}`));
    return [];
  }
  return checkSecretHeaders(lines, field, faults);
}

/** The lines that are headers; what is wrong with the others, or with all of them together, is added to `faults`, without a value. */
export function checkSecretHeaders(lines: readonly string[], field: string, faults: InputFault[]): readonly string[] {
  const wrong = new Set<string>();
  for (const line of lines) {
    const [fault] = parseHeaders([line], field).faults;
    if (fault === undefined) continue;
    wrong.add(line);
    // Some faults name what they found.
    const message = fault.message.includes(line.slice(nameOf(line).length + 1)) ? 'is no header that can be sent' : fault.message;
    faults.push(inputFault(field, nameOf(line), message));
  }
  const [joint] = wrong.size === 0 ? parseHeaders(lines, field).faults : [];
  if (joint !== undefined) faults.push(inputFault(field, lines.map(nameOf).join(', '), 'gives a name twice, or holds too much in all'));
  return lines.filter((line) => !wrong.has(line));
}
