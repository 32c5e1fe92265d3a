import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { storageError } from '../../adapters/embedded/storage-error.ts';
import { PrewarmError } from '../../core/errors.ts';
import { writePrivately } from '../../adapters/embedded/data-dir.ts';

const OTHERS = 0o077;

/** A secret that a data directory keeps. `isNew`: it was made just now. */
export interface KeptSecret {
  readonly secret: string;
  readonly isNew: boolean;
}

/**
 * The secret at `path`, made and kept there, for this user only, where there is none. The directory is locked by the caller.
 * Throws PrewarmError `storage` for one that another user may have put there or read.
 */
export function keepSecret(path: string): KeptSecret {
  try {
    const kept = readSecret(path);
    if (kept !== '') return { secret: kept, isNew: false };
    const secret = randomBytes(32).toString('base64url');
    writePrivately(path, `${secret}\n`);
    return { secret, isNew: true };
  } catch (error) {
    throw storageError(error, path);
  }
}

/** '' where there is none. */
function readSecret(path: string): string {
  let file: number;
  try {
    // A pipe would be waited for.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    if (code === 'ELOOP') throw mistrusted(path, 'is a link; remove it', error);
    throw error;
  }
  try {
    // What is judged is what is read, whatever becomes of the path.
    checkSecret(path, fstatSync(file));
    return readFileSync(file, 'utf8').trim();
  } finally {
    closeSync(file);
  }
}

function checkSecret(path: string, stats: Stats): void {
  if (!stats.isFile()) throw mistrusted(path, 'is no file; remove it');
  if (process.geteuid === undefined) return;
  if (stats.uid !== process.geteuid()) throw mistrusted(path, 'belongs to another user, who knows it; remove it');
  if ((stats.mode & OTHERS) !== 0) throw mistrusted(path, 'can be read by others; remove it, or chmod 600 it where nobody has read it');
}

function mistrusted(path: string, fault: string, cause?: unknown): PrewarmError {
  return new PrewarmError('storage', `${path}: ${fault}; where there is none, a new secret is made`, { cause });
}
