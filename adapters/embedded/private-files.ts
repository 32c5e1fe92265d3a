import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';

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
