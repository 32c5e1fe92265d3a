import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { readLicences } from './read-licences.ts';

// Run by `npm pack`: writes dist/, what an installed package runs instead of the sources.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'dist');

/** Packages in CommonJS call `require`, which modules do not have. */
const REQUIRE = `import { createRequire as createRequireOfChunk } from 'node:module';
const require = createRequireOfChunk(import.meta.url);`;

await rm(OUT, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: ROOT,
  // Both beside each other, and chunks too: paths relative to a module are the same wherever esbuild puts it.
  entryPoints: { main: 'cli/main.ts', agent: 'agent/embedded.ts' },
  outdir: OUT,
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  banner: { js: REQUIRE },
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
});
await writeFile(join(OUT, 'LICENCES.txt'), await readLicences(ROOT, Object.keys(metafile.inputs)));
