import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

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
export async function readLicences(root: string, files: readonly string[]): Promise<string> {
  const licences = await Promise.all(packageFolders(files).map((folder) => readLicence(join(root, folder))));
  return `The bundled code holds the following packages.\n\n${licences.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}
