import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { mapFlags, openScene, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

test('the command that an interrupted run prints writes its report too, and the resumed run leaves no temporary directory behind', async (context) => {
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
  const [, dir = ''] = /go on with: prewarm run --resume --data-dir (\S+)\n/.exec(stderr) ?? [];

  const resumed = await scene.run(['run', '--resume', '--data-dir', dir]);
  expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining(`the report goes to ${scene.at('report.csv')}\n`) });
  expect(targetsIn(scene.report('report.csv'))).toEqual(targetsOf(urls, ['SIN2-P1']));
  expect(existsSync(dir)).toBe(false);
});

test('a resumed run with another report file writes its report there, and keeps that file for the next time', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
  const urls = [urlOf(edge, '/o/1k/a')];
  const resume = ['run', '--resume', '--data-dir', scene.at('data')];
  const asked = ['run', scene.list(urls), '--pops', 'SIN2-P1', ...mapFlags(scene, edge), '--data-dir', scene.at('data')];
  expect((await scene.run([...asked, '--out', scene.at('first.csv')])).code).toBe(0);
  rmSync(scene.at('first.csv'));
  expect((await scene.run([...resume, '--out', scene.at('second.csv')])).code).toBe(0);
  expect(existsSync(scene.at('first.csv'))).toBe(false);
  rmSync(scene.at('second.csv'));
  expect((await scene.run(resume)).code).toBe(0);
  expect(targetsIn(scene.report('second.csv'))).toEqual(targetsOf(urls, ['SIN2-P1']));
});

test('the run reports a URL that is given twice on the command line as a duplicate', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
  const url = urlOf(edge, '/o/1k/a');
  const ended = await scene.run(['run', '--url', url, '--url', url, '--pops', 'SIN2-P1', ...mapFlags(scene, edge)]);
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('1 duplicate was dropped: each URL is warmed once\n') });
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

test('a run that was killed between its end and the dropping of its secrets drops them when it is resumed', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
  const data = scene.at('data');
  const asked = ['run', scene.list([urlOf(edge, '/o/1k/a')]), '--pops', 'SIN2-P1', ...mapFlags(scene, edge), '--data-dir', data];
  expect((await scene.run(asked)).code).toBe(0);
  const secret = 'Bearer token-of-a-viewer';
  const db = new DatabaseSync(join(data, 'prewarm.db'));
  const variants = JSON.stringify([{ name: 'default', headers: [['Authorization', secret]] }]);
  db.prepare(`UPDATE requests SET spec = json_set(spec, '$.variants', json(?))`).run(variants);
  db.close();
  const holding = () =>
    readdirSync(data, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(secret),
    );
  expect(holding()).not.toEqual([]);
  expect((await scene.run(['run', '--resume', '--data-dir', data])).code).toBe(0);
  expect(holding()).toEqual([]);
});

test.skipIf(process.platform !== 'linux')('a run reports at once that a data directory cannot be made', async (context) => {
  const scene = openScene(context);
  const ended = await scene.run(['run', '--url', 'https://www.example.com/', '--pops', 'SIN2-P1', '--data-dir', '/proc/none/below']);
  expect(ended).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/\/proc\/none\/below: cannot be used; .*choose another data directory/),
  });
});
