import { PrewarmError } from '../../core/errors.ts';

const FULL = 'no space is left to write (disk, quota or file-size limit); make room or choose another data directory, then resume';
const DENIED = 'cannot be opened or written; check its permissions or choose another data directory';
const NO_DIRECTORY = 'a file is where a directory is needed; choose another data directory';
const BUSY = 'another process keeps it locked; end that process or choose another data directory';
const DAMAGED = 'is damaged or was not made by this program; choose another data directory';
const TOO_MANY_FILES = 'too many open files; raise the limit (ulimit -n) or run fewer agents';

const ERRNO_REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: FULL,
  EFBIG: FULL,
  EDQUOT: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
  EEXIST: NO_DIRECTORY,
  ENOTDIR: NO_DIRECTORY,
  EISDIR: NO_DIRECTORY,
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
};

/**
 * SQLite's result codes. A failed write that is not ENOSPC (EFBIG, EDQUOT, an I/O error) is IOERR_WRITE, and room that
 * cannot be had for the shared memory file is IOERR_SHMSIZE.
 */
const SQLITE_IOERR_WRITE = 778;
const SQLITE_IOERR_SHMSIZE = 4874;
const EXTENDED_REMEDIES: Readonly<Record<number, string>> = { [SQLITE_IOERR_WRITE]: FULL, [SQLITE_IOERR_SHMSIZE]: FULL };
/** By primary code: PERM, BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB. */
const SQLITE_REMEDIES: Readonly<Record<number, string>> = {
  3: DENIED,
  5: BUSY,
  6: BUSY,
  8: DENIED,
  10: 'cannot be read or written; check the disk or choose another data directory',
  11: DAMAGED,
  13: FULL,
  14: DENIED,
  26: DAMAGED,
};

interface Failure {
  readonly code?: unknown;
  readonly errcode?: unknown;
  readonly message: string;
}

/** SQLite's primary result code of an error thrown by node:sqlite; null for other errors. */
export function sqliteCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  const { errcode } = error as Failure;
  return typeof errcode === 'number' ? errcode & 0xff : null;
}

function remedyOf(error: Failure): string | undefined {
  if (typeof error.errcode === 'number') return EXTENDED_REMEDIES[error.errcode] ?? SQLITE_REMEDIES[error.errcode & 0xff];
  if (typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code)) {
    return ERRNO_REMEDIES[error.code] ?? 'cannot be used; check the disk or choose another data directory';
  }
  return undefined;
}

/**
 * Turns what SQLite and the file system throw into PrewarmError `storage_full` or `storage`, whose message names the
 * path and the remedy. Anything else (a bug, a PrewarmError) is given back as it is.
 */
export function storageError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof PrewarmError) return error;
  const remedy = remedyOf(error);
  if (remedy === undefined) return error;
  return new PrewarmError(remedy === FULL ? 'storage_full' : 'storage', `${path}: ${remedy} (${error.message})`, { cause: error });
}

/** Runs `work`, with its errors translated by `storageError`. */
export async function translating<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(error, path);
  }
}
