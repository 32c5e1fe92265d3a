import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PrewarmError } from '../core/errors.ts';

/** Files that are replaced as a whole; pipes and devices are written as they are. */
async function isReplaceable(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return true;
  }
}

/** Streams the report to `path`; a reader never finds half a report there. Throws PrewarmError `storage`. */
export async function writeReport(path: string, text: AsyncIterable<string>): Promise<void> {
  const replaceable = await isReplaceable(path);
  const partial = replaceable ? `${path}.partial` : path;
  try {
    await pipeline(Readable.from(text, { objectMode: false }), createWriteStream(partial));
    if (replaceable) await rename(partial, path);
  } catch (error) {
    if (replaceable) await rm(partial, { force: true });
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
