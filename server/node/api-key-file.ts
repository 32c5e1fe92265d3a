import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';
import { type ApiKeys, createApiKeys, type KeyRole, type NamedKey } from '../app/api-keys.ts';
import { describeFault, type InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { Log } from '../../core/ports/log.ts';

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

const FLAG = '--api-key-file';
const MAX_BYTES = 1024 * 1024;
const OTHERS = 0o077;
/** The file is looked at so often at most. */
const LOOK_EVERY_MS = 1000;

/** Why a file of secrets is not to be trusted; null: it is. */
function mistrust(stats: Stats): string | null {
  const user = process.getuid?.();
  if (!stats.isFile()) return 'is no file; name a file with lines name=KEY';
  if (stats.size > MAX_BYTES) return 'is larger than 1 MiB; name a file with lines name=KEY';
  if (user === undefined) return null;
  if (stats.uid !== user && stats.uid !== 0) return 'belongs to another user, who could change it; make it your own (chown)';
  if ((stats.mode & OTHERS) !== 0) return 'can be read by others; chmod 600 it';
  return null;
}

/** The keys of the file as they are written there; what is wrong is added to `faults`. `#` begins a remark. */
export function readApiKeyFile(path: string, faults: InputFault[]): readonly WrittenKey[] {
  let text: string;
  try {
    // What is judged is what is read, whatever becomes of the path; a pipe would be waited for.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const fault = mistrust(fstatSync(file));
      if (fault !== null) {
        faults.push(inputFault(FLAG, path, fault));
        return [];
      }
      text = readFileSync(file, 'utf8');
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    faults.push(inputFault(FLAG, path, `cannot be read (${code}); name a file that this user may read`));
    return [];
  }
  const lines = text.split(/\r?\n/).map((line, at) => ({ field: FLAG, text: line.trim(), line: at + 1, needsName: true }));
  const written = lines.filter((line) => line.text !== '' && !line.text.startsWith('#'));
  if (written.length === 0) faults.push(inputFault(FLAG, path, 'holds no key; write lines name=KEY'));
  return written;
}

const markOf = ({ ino, mtimeMs, size, mode, uid }: Stats) => [ino, mtimeMs, size, mode, uid].join(' ');

export interface WatchedKeys {
  readonly path: string;
  /** Those of the file, and others beside it. */
  readonly keys: readonly NamedKey[];
  /** Those that are given elsewhere, and stay. */
  readonly others: readonly WrittenKey[];
  readonly minLength: number;
}

/** Keys that follow their file: once it has changed, within a second, its new keys hold and its old ones do not. One that has become wrong changes nothing, and is logged. */
export function watchApiKeys({ path, keys, others, minLength }: WatchedKeys, log: Pick<Log, 'info' | 'error'>): ApiKeys {
  let current = createApiKeys(keys);
  let mark = look();
  let lookedAt = performance.now();

  function look(): string {
    try {
      return markOf(statSync(path));
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  }

  function follow(): void {
    if (performance.now() - lookedAt < LOOK_EVERY_MS) return;
    lookedAt = performance.now();
    const seen = look();
    if (seen === mark) return;
    mark = seen;
    const faults: InputFault[] = [];
    const read = parseApiKeys([...others, ...readApiKeyFile(path, faults)], { minLength }, faults);
    if (faults.length > 0) log.error({ faults: faults.map(describeFault) }, 'the keys stay as they were, since their file is not right');
    else {
      current = createApiKeys(read);
      log.info({ names: read.map(({ name }) => name) }, 'the keys were read anew');
    }
  }

  return {
    holderOf(presented) {
      follow();
      return current.holderOf(presented);
    },
  };
}
