import type { InputFault } from './errors.ts';
import { showOddCharacters } from './plain-text.ts';

const MAX_SHOWN = 200;
/** Parts of a value that are written out at all: a value may be megabytes long, and only its beginning is shown. */
const MAX_PARTS = 100;

/**
 * Control characters would reach terminals and logs, where they can hide or forge text; JSON quoting leaves 0x7f to 0x9f
 * alone. What cannot be seen is shown by its code. Cut before and after: a code is longer than its character.
 */
const shown = (value: string) =>
  showOddCharacters(value.slice(0, MAX_SHOWN))
    .replace(/[\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`)
    .slice(0, MAX_SHOWN)
    .toWellFormed();

/** The beginning of a value as JSON. */
function beginningOf(value: unknown): string {
  let parts = 0;
  const text = JSON.stringify(value, (_, part: unknown) => {
    parts += 1;
    if (parts > MAX_PARTS) return null;
    if (typeof part === 'string') return part.slice(0, MAX_SHOWN);
    if (Array.isArray(part)) return part.slice(0, MAX_PARTS);
    if (typeof part === 'object' && part !== null) return Object.fromEntries(Object.entries(part).slice(0, MAX_PARTS));
    return part;
  });
  return text ?? String(value);
}

/** A fault with its value as text, shortened. `line` counts from 1. */
export function inputFault(field: string, value: unknown, message: string, line?: number): InputFault {
  const text = typeof value === 'string' ? value : beginningOf(value);
  return { field, ...(line === undefined ? {} : { line }), value: shown(text), message };
}
