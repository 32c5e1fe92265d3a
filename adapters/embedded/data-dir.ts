import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PrewarmError } from '../../core/errors.ts';
import { sqliteCode, storageError } from './storage-error.ts';

const SQLITE_BUSY = 5;
/** Enough that a disk with no room left is noticed before anything is downloaded. */
const PROBE = 'x'.repeat(64 * 1024);

/** What SQLite would make readable for others where the umask lets it; the first two are made here where they are missing. */
const MADE_FIRST = ['prewarm.db', 'lock.db'];
const TABLES = [...MADE_FIRST, 'prewarm.db-wal', 'prewarm.db-shm', 'lock.db-journal'];
const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;

/** Locks this process holds: without a reference the collector would close the database and so give the lock up. */
const heldLocks = new Set<DatabaseSync>();

export interface DataDir {
  /** Absolute. */
  readonly path: string;
  /** Gives the directory free for others. */
  release(): void;
}

/**
 * Throws PrewarmError `storage` for a directory in which another user could have put something, or still can: a link, another
 * user's, or one that others may write to. A link above it is no matter, nor that others may read names: files are private.
 */
export function checkDataDir(dir: string): void {
  const path = resolve(dir);
  const stats = lstatSync(path);
  const refuse = (fault: string) => new PrewarmError('storage', `${path}: ${fault}, or name a directory below it that is not there yet`);
  if (stats.isSymbolicLink()) throw new PrewarmError('storage', `${path}: is a link; name the directory that it leads to`);
  if (isOthers(stats)) throw refuse('belongs to another user, who could change what is kept there; make it your own (chown)');
  if ((stats.mode & OTHERS_WRITE) !== 0) throw refuse('others may write to it; take that from them (chmod go-w)');
}

/** Windows knows no users by number. */
const isOthers = ({ uid }: Stats) => process.geteuid !== undefined && uid !== process.geteuid();

/**
 * Makes the tables private, also those of an earlier version. Without opening any that is there: closing it would give up the
 * locks that this process has on it.
 */
function keepTablesPrivate(path: string): void {
  for (const name of MADE_FIRST) {
    try {
      closeSync(openSync(join(path, name), 'wx', 0o600));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  for (const table of TABLES.map((name) => join(path, name))) {
    const stats = lstatSync(table, { throwIfNoEntry: false });
    if (stats === undefined) continue;
    if (!stats.isFile() || isOthers(stats)) {
      throw new PrewarmError('storage', `${table}: is no file of this user's own; remove it, or choose another data directory`);
    }
    if ((stats.mode & OTHERS) !== 0) chmodSync(table, 0o600);
  }
}

/**
 * Creates the directory if need be, proves that it can be written, and keeps it to this process until `release` or the
 * process's end, however it ends. Only the parent does this; its agents open the same directory without the lock.
 * Throws PrewarmError `data_dir_busy`, `storage_full` or `storage`.
 */
export function openDataDir(dir: string): DataDir {
  const path = resolve(dir);
  try {
    makeDir(path);
    checkDataDir(path);
    writeProbe(join(path, `probe.${randomBytes(8).toString('hex')}`));
    keepTablesPrivate(path);
  } catch (error) {
    throw storageError(error, path);
  }
  const lock = takeLock(path);
  heldLocks.add(lock);
  const release = () => {
    if (heldLocks.delete(lock)) lock.close();
  };
  return { path, release };
}

/** Makes the directory and those above it. Node's own way asks for ever where a directory is there and takes nothing, as /proc is. */
function makeDir(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDir(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function writeProbe(path: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    writeSync(file, PROBE);
    fsyncSync(file);
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
}

/** An open exclusive transaction on a database of its own: the system drops the file lock when the process ends. */
function takeLock(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(path, 'lock.db'), { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    if (lock?.isOpen) lock.close();
    if (sqliteCode(error) !== SQLITE_BUSY) throw storageError(error, path);
    throw new PrewarmError('data_dir_busy', `${path}: another prewarm works in this directory; wait for its end or choose another`, {
      cause: error,
    });
  }
}

const PRIVATE = 0o077;

let umaskBefore: number | null = null;

/** From here on what this process and its agents make is this user's alone, whatever makes it. */
export function makeFilesPrivate(): void {
  const before = process.umask(PRIVATE);
  umaskBefore ??= before;
}

/** The mode of a file that the user asked for by name, as any other program would have made it. */
export const modeOfUsersFiles = (): number => 0o666 & ~(umaskBefore ?? process.umask());

/** A name beside `path` that nobody can foresee. */
export const partialNameOf = (path: string): string => `${path}.${randomBytes(8).toString('hex')}.partial`;

/** Writes or replaces a file that only this user may read. What stands at `path`, a link too, is replaced and never followed. */
export function writePrivately(path: string, text: string): void {
  const partial = partialNameOf(path);
  try {
    // 'wx': nothing that is there is written to, and no link is followed.
    writeFileSync(partial, text, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}
