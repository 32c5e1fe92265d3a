import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The pages that people read, as paths from the root. */
export const pageNames = (): readonly string[] => globSync(['*.md', 'docs/**/*.md', 'test/system/upgrade/*.md'], { cwd: ROOT }).sort();

export const readPage = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

export const readFiles = (pattern: string): readonly string[] => globSync(pattern, { cwd: ROOT }).map(readPage);

type Row = readonly string[];

const cellsOf = (row: string): Row =>
  row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((text) => text.trim().replaceAll('`', ''));

/** The tables between this heading and the next one, without their heads and without backticks. */
export function tablesBelow(page: string, heading: string): readonly (readonly Row[])[] {
  const [, below] = page.split(`\n${heading}\n`);
  if (below === undefined) throw new Error(`there is no heading ${heading}`);
  const section = below.split(/^## /m)[0] ?? '';
  return [...section.matchAll(/(?:^\|.*\n?)+/gm)].map(([table]) => table.trim().split('\n').slice(2).map(cellsOf));
}

/** The first cells of the first table below this heading. */
export function firstCellsBelow(page: string, heading: string): readonly string[] {
  return (tablesBelow(page, heading)[0] ?? []).map(([first = '']) => first);
}
