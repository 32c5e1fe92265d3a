import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PrewarmError } from '../../core/errors.ts';
import { sqliteCode, storageError } from './storage-error.ts';

const SQLITE_BUSY = 5;
/** Enough that a disk with no room left is noticed before anything is downloaded. */
const PROBE = 'x'.repeat(64 * 1024);

/** Locks this process holds: without a reference the collector would close the database and so give the lock up. */
const heldLocks = new Set<DatabaseSync>();

export interface DataDir {
  /** Absolute. */
  readonly path: string;
  /** Gives the directory free for others. */
  release(): void;
}

/**
 * Creates the directory if need be, proves that it can be written, and keeps it to this process until `release` or the
 * process's end, however it ends. Only the parent does this; its agents open the same directory without the lock.
 * Throws PrewarmError `data_dir_busy`, `storage_full` or `storage`.
 */
export function openDataDir(dir: string): DataDir {
  const path = resolve(dir);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    writeProbe(join(path, `probe.${process.pid}`));
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

function writeProbe(path: string): void {
  const file = openSync(path, 'w', 0o600);
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
