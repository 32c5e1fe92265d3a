import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** Folders of the packages that the files are of, sorted. */
function packageFolders(files: readonly string[]): readonly string[] {
  const folders = files.map((file) => /^(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

async function readLicence(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as PackageFile;
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  if (license === undefined && texts.length === 0) throw new Error(`${name}: says nowhere under which licence it is`);
  return [`${name} ${version} (${license ?? 'see below'})`, ...texts.map((text) => text.trim())].join('\n\n');
}

/** The licences of every package that `files` (paths below `root`) come from: theirs ask that they go along with copies. */
async function readLicences(root: string, files: readonly string[]): Promise<string> {
  const licences = await Promise.all(packageFolders(files).map((folder) => readLicence(join(root, folder))));
  return `The bundled code holds the following packages.\n\n${licences.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

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
