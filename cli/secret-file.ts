import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

/** A secret that a data directory keeps. `isNew`: it was made just now. */
export interface KeptSecret {
  readonly secret: string;
  readonly isNew: boolean;
}

/** The secret at `path`, made and kept there, for this user only, where there is none. The directory is locked by the caller. */
export function keepSecret(path: string): KeptSecret {
  try {
    const secret = readFileSync(path, 'utf8').trim();
    if (secret !== '') return { secret, isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secret = randomBytes(32).toString('base64url');
  writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  return { secret, isNew: true };
}
