import { expect, test } from 'vitest';
import { openScene } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

test('a drill proves itself, and leaves no process and no file behind', async (context) => {
  const scene = openScene(context);
  const list = scene.list(['https://www.example.com/a', 'https://www.example.com/b']);
  const running = scene.start(['drill', list, '--pops', 'SIN2-P1,SIN52-C2,GRU3-P1']);
  const { code, stdout } = await running.ended;
  expect(code).toBe(0);
  const [before = '', after = ''] = stdout.split('Warming:');
  expect(before).toMatch(/^Before: /m);
  expect(before).toMatch(/^GRU3-P1 +4 +0 +4 /m);
  expect(after).toMatch(/^GRU3-P1 +4 +4 +0 /m);
  expect(after).toMatch(/6 of 6 targets warm and verified/);
  expect(after).toMatch(/A viewer's first byte: /);
  expect(after.match(/^ {2}proved {2}/gm)).toHaveLength(4);
  expect(after).toMatch(/The proof holds\.\n$/);
  expect(running.tree()).toEqual([]);
  expect(scene.temporaries()).toEqual([]);
});

test('a drill that is interrupted at any time leaves no process and no file behind', async (context) => {
  const scene = openScene(context);
  const list = scene.list(Array.from({ length: 24 }, (_, index) => `https://www.example.com/${index}`));
  const early = scene.start(['drill', list]);
  const late = scene.start(['drill', list]);
  await until('the first survey', () => early.stdout().includes('Simulated edge'));
  early.signal('SIGINT');
  await until('the warm-up', () => late.stderr().includes('SIZING'));
  late.signal('SIGTERM');
  const ends = await Promise.all([early.ended, late.ended]);
  expect(ends.map(({ code }) => code)).toEqual([130, 130]);
  expect(ends[1].stderr).not.toContain('--resume');
  expect([...early.tree(), ...late.tree()]).toEqual([]);
  expect(scene.temporaries()).toEqual([]);
});
