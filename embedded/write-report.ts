import { createWriteStream } from 'node:fs';
import { chmod, rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PrewarmError } from '../core/errors.ts';
import { modeOfUsersFiles, partialNameOf } from '../adapters/embedded/data-dir.ts';

/** The mode that the finished file is to have; null: pipes and devices are no files to replace, and are written as they are. */
async function modeOf(path: string, ofNew: number): Promise<number | null> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.mode & 0o777 : null;
  } catch {
    return ofNew;
  }
}

/**
 * Streams the report to `path`; a reader never finds half a report there. It grows under a name that nobody can foresee, and is
 * this user's alone until it is whole. A link at `path` is replaced, not followed. `modeOfNew` is that of
 * a file that was not there before. Throws PrewarmError `storage`.
 */
export async function writeReport(path: string, text: AsyncIterable<string>, modeOfNew: number = modeOfUsersFiles()): Promise<void> {
  const mode = await modeOf(path, modeOfNew);
  const replaceable = mode !== null;
  const partial = replaceable ? partialNameOf(path) : path;
  try {
    const file = createWriteStream(partial, replaceable ? { flags: 'wx', mode: 0o600 } : {});
    await pipeline(Readable.from(text, { objectMode: false }), file);
    if (replaceable) {
      await chmod(partial, mode);
      await rename(partial, path);
    }
  } catch (error) {
    // Where the file cannot be made at all there is nothing to remove; the first error tells why.
    if (replaceable) await rm(partial, { force: true }).catch(() => {});
    if (error instanceof PrewarmError) throw error;
    throw new PrewarmError(
      'storage',
      `the report could not be written to ${path}: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
}
