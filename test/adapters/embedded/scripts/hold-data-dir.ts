/** Opens a data directory, tells how that went, and holds it; `unprivileged` gives root's rights up first. */
import { openDataDir } from '../../../../adapters/embedded/data-dir.ts';
import { PrewarmError } from '../../../../core/errors.ts';

const [dir = '', mode] = process.argv.slice(2);
const NOBODY = 65_534;
if (mode === 'unprivileged' && process.getuid?.() === 0) process.seteuid?.(NOBODY);
try {
  openDataDir(dir);
  // What nobody refers to is collected; the lock has to outlive that.
  globalThis.gc?.();
  console.log('open');
  setInterval(() => undefined, 60_000);
} catch (error) {
  console.log(error instanceof PrewarmError ? JSON.stringify({ code: error.code, message: error.message }) : String(error));
}
