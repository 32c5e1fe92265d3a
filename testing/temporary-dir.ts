import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export function makeTemporaryDir(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'prewarm-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A directory that goes when the test ends. */
export function temporaryDir(): string {
  const { path, remove } = makeTemporaryDir();
  onTestFinished(remove);
  return path;
}
