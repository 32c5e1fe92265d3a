import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import type { Ended } from '../../../testing/prewarm-process.ts';
import { lastProgress, mapFlags, openScene, popsOf, progressOf, type Scene, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const POPS = ['SIN2-P1', 'FRA56-P4', 'GRU3-P1', 'SYD1-C1', 'YUL62-C2', 'NRT57-P3', 'LHR61-P3', 'IAD89-P1', 'ARN56-P1', 'DFW56-P1'].map(
  (pop) => ({ pop }),
);
const PATHS = Array.from({ length: 140 }, (_, index) => `/o/2k/${'a-long-name-that-fills-tables-and-results/'.repeat(8)}${index}`);
const TOTAL = POPS.length * PATHS.length;

/** What agents have written of targets, by file. */
function resultsIn(dataDir: string): Readonly<Record<string, string>> {
  const files = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter((name) => /results.*\.csv$/.test(name));
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(dataDir, name), 'utf8')]));
}

async function prepare(context: TestContext, dataDir: (scene: Scene) => string) {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: POPS });
  const urls = PATHS.map((path) => urlOf(edge, path));
  const out = ['--json', '--out', scene.at('report.csv')];
  const places = ['--pops', popsOf(edge).join(','), ...mapFlags(scene, edge), '--data-dir', dataDir(scene), '--agents', '2'];
  return {
    scene,
    edge,
    urls,
    args: ['run', scene.list(urls), ...places, ...out],
    resume: ['run', '--resume', '--data-dir', dataDir(scene), ...out],
  };
}

/** One message that names the directory and the remedy, how to go on, and nothing a user has no use for. */
function expectFull({ code, stderr, stdout }: Ended, dir: string): void {
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/: no space is left to write .* then resume/) });
  expect(stderr).toContain(`prewarm: ${dir}`);
  expect(stderr).toContain(`go on with: prewarm run --resume --data-dir ${dir}`);
  expect(stderr).not.toMatch(/^\s+at |unexpected|Error:/m);
  expect(stderr.trimEnd().split('\n').length).toBeLessThan(4);
  expect(lastProgress(stdout)).toMatchObject({ status: expect.stringMatching(/SIZING|QUEUEING|IN_PROGRESS/), total_count: TOTAL });
}

function expectDone(scene: Scene, { code, stdout, stderr }: Ended, urls: readonly string[], before: Ended): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(targetsIn(scene.report('report.csv'))).toEqual(
    targetsOf(
      urls,
      POPS.map(({ pop }) => pop),
    ),
  );
  const [first] = progressOf(stdout);
  expect(first?.download_count).toBeGreaterThanOrEqual(lastProgress(before.stdout).download_count);
  expect(lastProgress(stdout)).toMatchObject({ status: 'FINISHED', download_count: TOTAL, failed_count: 0, percentage_complete: 100 });
}

describe.concurrent('a full disk', () => {
  test('a full disk (a limit on the size of files) ends the run at once, and recorded work is there when it continues', async (context) => {
    const { scene, urls, args, resume } = await prepare(context, (scene) => scene.at('data'));
    const limited = {
      command: ['sh', '-c', 'ulimit -f 1300; exec "$0" "$@"', process.execPath, join(import.meta.dirname, '../../../cli/main.ts')],
    };
    const full = await scene.run(args, limited);
    expectFull(full, scene.at('data'));
    const kept = resultsIn(scene.at('data'));
    expect(Object.keys(kept).length).toBeGreaterThan(0);
    const resumed = await scene.run(resume);
    expectDone(scene, resumed, urls, full);
    expect(resultsIn(scene.at('data'))).toMatchObject(kept);
  });

  test.skipIf(!canMount)(
    'a full disk (a file system without room) ends the run at once, too (needs the right to mount one)',
    async (context) => {
      const { scene, urls, args, resume } = await prepare(context, (scene) => scene.at('disk/data'));
      mkdirSync(scene.at('disk'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1700k', 'tmpfs', scene.at('disk')]);
      context.onTestFinished(() => void execFileSync('umount', ['-l', scene.at('disk')]));
      const full = await scene.run(args);
      expectFull(full, scene.at('disk/data'));
      const kept = resultsIn(scene.at('disk/data'));
      expect(Object.keys(kept).length).toBeGreaterThan(0);
      execFileSync('mount', ['-o', 'remount,size=64m', scene.at('disk')]);
      const resumed = await scene.run(resume);
      expectDone(scene, resumed, urls, full);
      expect(resultsIn(scene.at('disk/data'))).toMatchObject(kept);
    },
  );

  test.skipIf(!existsSync('/dev/full'))(
    'a full disk under the report loses the report only, which a resumed run writes elsewhere',
    async (context) => {
      const scene = openScene(context);
      const edge = await scene.edge();
      const flags = ['--pops', 'SIN2-P1', ...mapFlags(scene, edge)];
      const full = await scene.run(['run', '--url', urlOf(edge, '/o/1k/a'), ...flags, '--out', '/dev/full']);
      expect({ code: full.code, stdout: full.stdout }).toEqual({ code: 1, stdout: '' });
      expect(full.stderr).toContain('prewarm: the report could not be written to /dev/full: ENOSPC');
      const [, dataDir = ''] = /--data-dir (\S+)/.exec(full.stderr) ?? [];
      const resumed = await scene.run(['run', '--resume', '--data-dir', dataDir, '--out', scene.at('report.csv')]);
      expect({ code: resumed.code, gets: edge.counters().edge.gets }).toEqual({ code: 0, gets: 2 });
      expect(scene.report('report.csv')).toMatchObject([{ outcome: 'warmed', url: urlOf(edge, '/o/1k/a') }]);
    },
  );
});

test('a run reports an unusable data directory at once, with its name and a remedy, and sends nothing', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge();
  writeFileSync(scene.at('file'), '');
  mkdirSync(scene.at('damaged'));
  writeFileSync(scene.at('damaged/prewarm.db'), 'not a database'.repeat(1000));
  mkdirSync(scene.at('empty'));
  const args = ['run', '--url', urlOf(edge, '/o/1k/a'), '--pops', 'SIN2-P1', ...mapFlags(scene, edge)];
  const withDir = (dir: string) => scene.run([...args, '--data-dir', dir]);
  const [file, below, damaged, noTemporary, resumed, gone] = await Promise.all([
    withDir(scene.at('file')),
    withDir(scene.at('file/below')),
    withDir(scene.at('damaged')),
    scene.run(args, { env: { TMPDIR: scene.at('nowhere') } }),
    scene.run(['run', '--resume', '--data-dir', scene.at('empty')]),
    scene.run(['run', '--resume', '--data-dir', scene.at('nowhere')]),
  ]);
  expect(file).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^prewarm: \S+\/file: a file is where a directory is needed; choose another.*\n$/),
  });
  expect(below).toMatchObject({ code: 1, stderr: expect.stringMatching(/^prewarm: \S+\/file\/below: a file is where.*\n$/) });
  expect(damaged).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^prewarm: \S+\/prewarm.db: is damaged or was not made by this program.*\n$/),
  });
  expect(noTemporary).toMatchObject({ code: 1, stderr: expect.stringMatching(/^prewarm: \S+\/nowhere: cannot be used; .*\n$/) });
  expect(resumed).toMatchObject({ code: 2, stderr: expect.stringMatching(/--data-dir: ".*empty": holds no run to resume/) });
  expect(gone).toMatchObject({ code: 2, stderr: expect.stringMatching(/--data-dir: ".*nowhere": .*(does not exist|no run to resume)/) });
  expect(edge.counters().edge).toMatchObject({ gets: 0, heads: 0 });
  expect(scene.temporaries()).toEqual([]);
});

test('a data directory belongs to one run at a time, and to the next when that has ended', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ latencies: { edgeMs: 600 } });
  const args = [
    'run',
    '--url',
    urlOf(edge, '/o/1k/a'),
    '--pops',
    'SIN2-P1',
    ...mapFlags(scene, edge),
    '--data-dir',
    scene.at('data'),
    '--json',
  ];
  const first = scene.start(args);
  await until('the first run', () => edge.counters().edge.heads > 0);
  const [second, resumed] = await Promise.all([scene.run(args), scene.run(['run', '--resume', '--data-dir', scene.at('data')])]);
  for (const refused of [second, resumed]) {
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toBe(
      `prewarm: ${scene.at('data')}: another prewarm works in this directory; wait for its end or choose another\n`,
    );
  }
  expect(await first.ended).toMatchObject({ code: 0, stderr: '' });

  const third = scene.start(args);
  await until('the third run', () => third.stdout().includes('IN_PROGRESS') || edge.counters().edge.heads > 1);
  await third.killTree();
  const fourth = await scene.run(args);
  expect(fourth).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('holds a run that has not ended; add --resume, or name another directory'),
  });
  const last = await scene.run(['run', '--resume', '--data-dir', scene.at('data'), '--json']);
  expect({ code: last.code, ...lastProgress(last.stdout) }).toMatchObject({
    code: 0,
    status: 'FINISHED',
    already_warm_count: 1,
    total_count: 1,
  });
});
