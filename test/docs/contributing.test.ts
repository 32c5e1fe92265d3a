import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pageNames, readPage, ROOT, tablesBelow } from './pages.ts';

const PAGE = readPage('CONTRIBUTING.md');
/** `core/work/judge.ts`, `test/system/run` or `package.json`: no glob, no command, and no name that a reader chooses. */
const PATH =
  /`((?:adapters|agent|bench|bin|cli|client|core|data|deployment|docs|embedded|examples|lambda|lib|lists|packaging|server|simulator|test|testing)\/[\w./-]+|package\.json)`/g;
/** These tell of the past too. */
const HISTORY = /^(?:CHANGELOG\.md|docs\/adr\/)/;

test('every file and folder of the project that a page names is there', () => {
  const pages = pageNames().filter((name) => !HISTORY.test(name));
  const named = pages.flatMap((page) => [...readPage(page).matchAll(PATH)].map(([, path = '']) => ({ page, path })));
  expect(named.length).toBeGreaterThan(70);
  expect(named.filter(({ path }) => !path.includes('NAME') && !existsSync(join(ROOT, path)))).toEqual([]);
});

test('CONTRIBUTING.md says of twenty changes and more in which one or two files they are made', () => {
  const [rows = []] = tablesBelow(PAGE, '## Where do I change ...?');
  expect(rows.length).toBeGreaterThanOrEqual(20);
  const files = rows.map(([change, where = '']) => ({
    change,
    count: where.match(/[a-z-]+(?:\/[\w-]+)+\.(?:ts|json)|package\.json/g)?.length ?? 0,
  }));
  expect(files.filter(({ count }) => count < 1 || count > 2)).toEqual([]);
});

test('every npm script that a page names is one', () => {
  const { scripts } = JSON.parse(readPage('package.json')) as { scripts: Readonly<Record<string, string>> };
  const named = pageNames().flatMap((page) => [...readPage(page).matchAll(/npm run ([a-z:]+)/g)].map(([, name = '']) => name));
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});
