import { readFile, writeFile } from 'node:fs/promises';

/** Puts `content` between `<!-- name -->` and `<!-- /name -->` of a Markdown file. Throws where they are missing. */
export async function replaceSection(path: string, name: string, content: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  const [start, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${path} has no place for ${name}`);
  await writeFile(path, `${text.slice(0, from + start.length)}${content.trimEnd()}\n${text.slice(to)}`);
}
