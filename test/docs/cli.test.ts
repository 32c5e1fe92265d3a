import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fillSection } from '../../testing/fill-section.ts';
import { cliSections, commands, optionsOf } from './cli-sections.ts';
import { pageNames, readPage } from './pages.ts';

/** The width that the help's examples are broken at. */
const COLUMNS = '110';

beforeEach(() => {
  vi.stubEnv('COLUMNS', COLUMNS);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test('docs/cli.md describes every command and option as the program defines them (npm run docs writes it)', async () => {
  let page = readPage('docs/cli.md');
  for (const [name, content] of cliSections()) page = fillSection(page, name, content);
  await expect(page).toMatchFileSnapshot('../../docs/cli.md');
});

/** Commands of the code blocks of a page: words from `prewarm` on, up to the end of the command. */
function commandLinesOf(page: string): readonly string[] {
  const blocks = [...page.matchAll(/```[a-z]*\n([\s\S]*?)```/g)].map(([, block = '']) => block.replace(/\\\n\s*/g, ''));
  return blocks.flatMap((block) =>
    [...block.matchAll(/(?:^\s*|[$|;(&] ?|npx )prewarm ([a-z-]+ ?[^|;&>\n]*)/gm)].map(([, line = '']) => line),
  );
}

test('every prewarm command in the pages names a command and options that exist', () => {
  const known = new Map(commands().map((command) => [command.name(), new Set(optionsOf(command).map(({ long }) => long))]));
  const lines = pageNames().flatMap((name) => commandLinesOf(readPage(name)).map((line) => ({ name, line })));
  expect(lines.length).toBeGreaterThan(50);
  const wrong = lines.filter(({ line }) => {
    const [command = '', ...words] = line.trim().split(/\s+(?=(?:[^']*'[^']*')*[^']*$)/);
    const options = known.get(command);
    return options === undefined || words.some((word) => /^--[a-z]/.test(word) && !options.has(word.split('=')[0] ?? ''));
  });
  expect(wrong).toEqual([]);
});
