import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { pageNames, readPage, ROOT } from './pages.ts';

/** Headings as the anchors that links to them use. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...page.replaceAll(/```[\s\S]*?```/g, '').matchAll(/^#+ (.*)$/gm)];
  return new Set(
    headings.map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('every link between the pages leads to a file and to a heading that are there', () => {
  const links = pageNames().flatMap((name) =>
    [...readPage(name).matchAll(/\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)/g)].map(([, file = '', anchor = '']) => ({ name, file, anchor })),
  );
  expect(links.length).toBeGreaterThan(50);
  const dead = links.filter(({ name, file, anchor }) => {
    const target = file === '' ? name : normalize(join(dirname(name), file));
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== '' && !anchorsOf(readPage(target)).has(anchor);
  });
  expect(dead).toEqual([]);
});

test('the README stays a front door of at most 150 lines', () => {
  expect(readPage('README.md').split('\n').length).toBeLessThanOrEqual(150);
});
