import type { InputFault } from './errors.ts';

const MAX_SHOWN = 200;

/** Control characters would reach terminals and logs, where they can hide or forge text; JSON quoting leaves 0x7f to 0x9f alone. */
const shown = (value: string) =>
  value
    .replace(/[\u007f-\u009f]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`)
    .slice(0, MAX_SHOWN)
    .toWellFormed();

/** A fault with its value as text, shortened. `line` counts from 1. */
export function inputFault(field: string, value: unknown, message: string, line?: number): InputFault {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return { field, ...(line === undefined ? {} : { line }), value: shown(text), message };
}
