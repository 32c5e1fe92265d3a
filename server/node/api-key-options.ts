import type { KeyRole, NamedKey } from '../app/api-keys.ts';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';

export const DEFAULT_KEY_NAME = 'default';
/** A shorter one can be guessed by whoever reaches the server. */
export const MIN_REACHABLE_KEY = 20;

const NAMED = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})(?::(read|full))?=(?!=*$)(.*)$/s;
/** What goes into a header as it is. */
const KEY = /^[\u0021-\u007e]{1,256}$/;

/** A key as it is written, and where: as a message calls that place. */
export interface WrittenKey {
  readonly field: string;
  readonly text: string;
  /** From 1; absent: it is no line of a file. */
  readonly line?: number;
  /** Where a key must have a name. */
  readonly needsName: boolean;
}

/**
 * Reads keys written as `KEY`, `name=KEY` or `name:read=KEY`. A key may end in `=`, as base64 does: that makes no name. Faults
 * never show a key, not even a bad one.
 */
export function parseApiKeys(
  written: readonly WrittenKey[],
  options: { readonly minLength: number },
  faults: InputFault[],
): readonly NamedKey[] {
  const keys: NamedKey[] = [];
  for (const { field, text, line, needsName } of written) {
    const fault = (value: string, message: string) => faults.push(inputFault(field, value, message, line));
    const match = NAMED.exec(text);
    const [, name = DEFAULT_KEY_NAME, role = 'full', key = text] = match ?? [];
    if (match === null && needsName) fault('', 'write name=KEY, or name:read=KEY for a key that may only ask');
    else if (!KEY.test(key)) fault('', 'takes KEY or name=KEY, where KEY is 1 to 256 printable ASCII characters without blanks');
    else if (key.length < options.minLength) {
      const remedy = 'make one by openssl rand -hex 16, or listen at 127.0.0.1';
      fault(
        name,
        `has a key of fewer than ${options.minLength} characters, which can be guessed where other machines reach the server; ${remedy}`,
      );
    } else if (keys.some((known) => known.name === name)) {
      fault(name, 'names two keys; give each its own name, as in --api-key ci=KEY --api-key launch=KEY');
    } else keys.push({ name, role: role as KeyRole, key });
  }
  return keys;
}

/** The keys of `PREWARM_API_KEYS`: as in a file, and commas end a key too. */
export function splitKeys(text: string): readonly WrittenKey[] {
  return text
    .split(/[\r\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ field: 'PREWARM_API_KEYS', text: line, needsName: true }));
}
