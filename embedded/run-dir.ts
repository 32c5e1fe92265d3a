import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataDir } from '../adapters/embedded/data-dir.ts';
import { storageError } from '../adapters/embedded/storage-error.ts';

/** The data directory of one run. */
export interface RunDir {
  /** Absolute. */
  readonly path: string;
  /** It outlives the run, also if it is a temporary one. */
  keep(): void;
  /** It goes when it is released, also if it was given. */
  discard(): void;
  readonly isTemporary: boolean;
  /** Gives it free for others; a temporary one that nobody wanted kept goes. May be called twice. */
  release(): void;
}

/** Opens the directory given, or a temporary one for null. Throws PrewarmError `data_dir_busy`, `storage_full` or `storage`. */
export function openRunDir(given: string | null): RunDir {
  const path = given ?? makeTemporaryDir();
  let isKept = given !== null;
  const removeUnlessKept = () => {
    if (!isKept) rmSync(path, { recursive: true, force: true });
  };
  try {
    const dataDir = openDataDir(path);
    return {
      path: dataDir.path,
      isTemporary: given === null,
      discard() {
        isKept = false;
      },
      keep() {
        isKept = true;
      },
      release() {
        dataDir.release();
        removeUnlessKept();
      },
    };
  } catch (error) {
    removeUnlessKept();
    throw error;
  }
}

function makeTemporaryDir(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'prewarm-'));
  } catch (error) {
    throw storageError(error, tmpdir());
  }
}
