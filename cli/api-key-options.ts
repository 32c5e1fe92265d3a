import type { NamedKey } from '../api/api-keys.ts';
import type { InputFault } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';

export const DEFAULT_KEY_NAME = 'default';
const NAMED = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})=(?!=*$)(.*)$/s;
/** What goes into a header as it is. */
const KEY = /^[\u0021-\u007e]{1,256}$/;

/**
 * Reads `--api-key KEY` and `--api-key name=KEY`. A key may end in `=`, as base64 does: that makes no name. Faults never
 * show a key, not even a bad one.
 */
export function parseApiKeys(flag: string, texts: readonly string[], faults: InputFault[]): readonly NamedKey[] {
  const keys: NamedKey[] = [];
  for (const text of texts) {
    const [, name = DEFAULT_KEY_NAME, key = text] = NAMED.exec(text) ?? [];
    if (!KEY.test(key))
      faults.push(inputFault(flag, '', 'takes KEY or name=KEY, where KEY is 1 to 256 printable ASCII characters without blanks'));
    else if (keys.some((known) => known.name === name)) {
      faults.push(inputFault(flag, name, 'names two keys; give each its own name, as in --api-key ci=KEY --api-key launch=KEY'));
    } else keys.push({ name, key });
  }
  return keys;
}
