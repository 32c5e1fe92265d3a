import { expect, test } from 'vitest';
import { openEmbeddedStores } from '../../../adapters/embedded/embedded-stores.ts';
import { createHolder } from '../../../adapters/embedded/holder.ts';
import { systemClock } from '../../../core/clock.ts';
import { lastProgress, mapFlags, openScene, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

test('a run whose time is up ends at once as TIMEOUT, with a row for each target and nothing sent afterwards', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }, { pop: 'FRA56-P4' }] });
  edge.setFault({ pop: 'FRA56-P4', path: '/o/9k/*', method: 'GET' }, { kind: 'trickle', bytesPerSecond: 20 });
  const urls = Array.from({ length: 30 }, (_, index) => urlOf(edge, `/o/9k/${index}`));
  const common = ['--data-dir', scene.at('data'), '--json', '--out', scene.at('report.csv')];
  const running = scene.start([
    'run',
    scene.list(urls),
    '--pops',
    'SIN2-P1,FRA56-P4',
    ...mapFlags(scene, edge),
    '--timeout',
    '1',
    ...common,
  ]);
  await until('one POP is done', () => running.stdout().includes('"download_count":30'));

  // The minute is the shortest there is, so the clock in the tables is put forward instead.
  const stores = openEmbeddedStores(scene.at('data'), systemClock, { holder: createHolder() });
  const [{ id } = { id: '' }] = await stores.store.listActive();
  await stores.store.setTimeoutAt(id, Date.now());
  await stores.timers.set(id, Date.now());
  stores.close();
  const before = Date.now();
  const { code, stderr, stdout } = await running.ended;
  expect(Date.now() - before).toBeLessThan(9000);
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(lastProgress(stdout)).toMatchObject({
    status: 'TIMEOUT',
    status_reason: 'not done within 1 minutes',
    total_count: 60,
    download_count: 30,
    failed_count: 30,
    percentage_complete: 50,
  });
  const rows = scene.report('report.csv');
  expect(targetsIn(rows)).toEqual(targetsOf(urls, ['SIN2-P1', 'FRA56-P4']));
  for (const row of rows) {
    const done = row['pop'] === 'SIN2-P1';
    expect(row).toMatchObject(done ? { outcome: 'warmed', reason: '' } : { outcome: 'failed', reason: 'stopped' });
  }
  expect(running.tree()).toEqual([]);

  const { gets } = edge.counters().edge;
  const again = await scene.run(['run', '--resume', ...common]);
  expect({ code: again.code, ...lastProgress(again.stdout) }).toMatchObject({
    code: 1,
    status: 'TIMEOUT',
    download_count: 30,
    failed_count: 30,
  });
  expect(scene.report('report.csv')).toEqual(rows);
  expect(edge.counters().edge.gets).toBe(gets);
});
