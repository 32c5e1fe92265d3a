import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';
import { type ApiKeys, createApiKeys, type NamedKey } from '../app/api-keys.ts';
import { describeFault, type InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { parseApiKeys, type WrittenKey } from './api-key-options.ts';
import type { Log } from '../../core/ports/log.ts';

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
export function readKeyFile(path: string, faults: InputFault[]): readonly WrittenKey[] {
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
    const read = parseApiKeys([...others, ...readKeyFile(path, faults)], { minLength }, faults);
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
