import { readFile, writeFile } from 'node:fs/promises';
import { fillSection } from '../testing/fill-section.ts';

/** Puts `content` between `<!-- name -->` and `<!-- /name -->` of a Markdown file. Throws where they are missing. */
export async function replaceSection(path: string, name: string, content: string): Promise<void> {
  await writeFile(path, fillSection(await readFile(path, 'utf8'), name, content));
}
