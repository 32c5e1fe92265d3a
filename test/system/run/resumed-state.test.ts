import { existsSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mapFlags, openScene, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

test('an interrupted run says how its report is written after all, and the resumed one leaves no temporary directory behind', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
  const release = edge.setFault({ method: 'HEAD' }, { kind: 'stall', at: 'headers' });
  const urls = [urlOf(edge, '/o/1k/a'), urlOf(edge, '/o/1k/b')];
  const asked = ['run', scene.list(urls), '--pops', 'SIN2-P1', ...mapFlags(scene, edge), '--out', scene.at('report.csv')];
  const running = scene.start(asked);
  await until('HEADs', () => edge.counters().edge.heads > 0);
  running.signal('SIGINT');
  const { code, stderr } = await running.ended;
  expect(code).toBe(130);
  await release();
  const [, dir = '', out = ''] = /go on with: prewarm run --resume --data-dir (\S+) --out (\S+)\n/.exec(stderr) ?? [];
  expect(out).toBe(scene.at('report.csv'));

  const resumed = await scene.run(['run', '--resume', '--data-dir', dir, '--out', out]);
  expect(resumed).toMatchObject({ code: 0 });
  expect(targetsIn(scene.report('report.csv'))).toEqual(targetsOf(urls, ['SIN2-P1']));
  expect(existsSync(dir)).toBe(false);
});

test('a resumed run keeps the directory that its user named', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
  const data = scene.at('data');
  const asked = ['run', scene.list([urlOf(edge, '/o/1k/a')]), '--pops', 'SIN2-P1', ...mapFlags(scene, edge), '--data-dir', data];
  expect((await scene.run(asked)).code).toBe(0);
  expect((await scene.run(['run', '--resume', '--data-dir', data])).code).toBe(0);
  expect(readdirSync(data)).toContain('run.json');
});

test.skipIf(process.platform !== 'linux')('a data directory where none can be made is told at once', async (context) => {
  const scene = openScene(context);
  const ended = await scene.run(['run', '--url', 'https://www.example.com/', '--pops', 'SIN2-P1', '--data-dir', '/proc/none/below']);
  expect(ended).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/\/proc\/none\/below: cannot be used; .*choose another data directory/),
  });
});
