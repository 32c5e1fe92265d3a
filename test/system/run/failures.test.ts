import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { REPORT_COLUMNS } from '../../../core/report/result-row.ts';
import { lastProgress, mapFlags, openScene, popsOf, type Scene, targetsIn, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

/** An edge of two POPs whose origin lacks one of three objects, and the arguments of a run through it and through a POP that is not there. */
async function openRun(scene: Scene) {
  const edge = await scene.edge();
  const mend = edge.setFault({ path: '/o/1k/missing' }, { kind: 'status', status: 404 });
  const urls = ['/o/1k/a', '/o/1k/b', '/o/1k/missing'].map((path) => urlOf(edge, path));
  const args = ['run', scene.list(urls), ...mapFlags(scene, edge)];
  return { edge, urls, args, mend, missing: urls[2] ?? '', pops: popsOf(edge) };
}

describe.concurrent('what failed', () => {
  test('the end of a run names what failed by URL, in a file beside the state with the columns of the report', async (context) => {
    const scene = openScene(context);
    const { args, missing, pops } = await openRun(scene);
    const ended = await scene.run([...args, '--pops', pops.join(','), '--data-dir', scene.at('warm.d')]);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toContain(`\nstatus_404: 1 URL at ${pops.join(', ')}: ${missing}\n`);
    expect(ended.stdout).toContain(`\nAll failed targets: ${scene.at('warm.d/failures.csv')}\n`);
    const rows = scene.report('warm.d/failures.csv');
    expect(targetsIn(rows)).toEqual(pops.map((pop) => `${pop} ${missing}`).sort());
    expect(Object.keys(rows[0] ?? {})).toEqual([...REPORT_COLUMNS]);
  });

  test('a run without failures leaves no file of failures of an earlier run behind', async (context) => {
    const scene = openScene(context);
    const { mend, args, pops } = await openRun(scene);
    const all = [...args, '--pops', pops.join(','), '--data-dir', scene.at('warm.d')];
    await scene.run(all);
    expect(existsSync(scene.at('warm.d/failures.csv'))).toBe(true);
    await mend();
    const ended = await scene.run(all);
    expect(ended).toMatchObject({ code: 0, stdout: expect.not.stringContaining('failures.csv') as string });
    expect(existsSync(scene.at('warm.d/failures.csv'))).toBe(false);
  });

  test('a run without kept state names a temporary file of failures', async (context) => {
    const scene = openScene(context);
    const { args, missing, pops } = await openRun(scene);
    const ended = await scene.run([...args, '--pops', pops.join(',')]);
    const [, path = ''] = /All failed targets: (\S+)\n/.exec(ended.stdout) ?? [];
    expect(scene.temporaries().map((name) => scene.at(`tmp/${name}`))).toEqual([path]);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    expect(path).toMatch(/\/prewarm-failures-[\da-f-]{36}\.csv$/);
    expect(
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(missing)),
    ).toHaveLength(pops.length);
  });

  test('the last object of --json has the failures with POPs, number and cause, most targets first', async (context) => {
    const scene = openScene(context);
    const { args, urls, missing, pops } = await openRun(scene);
    const ended = await scene.run([...args, '--pops', [...pops, 'FOO1-P1'].join(','), '--json']);
    const last = lastProgress(ended.stdout) as unknown as Record<string, readonly Record<string, unknown>[]>;
    expect(last['pops']?.map(({ pop }) => pop)).toEqual([...pops, 'FOO1-P1']);
    expect(last['failures']?.[0]).toMatchObject({ reason: 'status_404', url: missing, pops, targets: 2 });
    expect(last['failures']?.slice(1)).toEqual(
      urls.map((url) => ({
        reason: 'pop_unresolvable',
        url,
        pops: ['FOO1-P1'],
        targets: 1,
        cause: expect.stringContaining('FOO1-P1') as string,
      })),
    );
  });

  test('--verbose shows all failures', async (context) => {
    const scene = openScene(context);
    const { edge } = await openRun(scene);
    const list = scene.list(Array.from({ length: 14 }, (_, index) => urlOf(edge, `/nothing/${index}`)));
    const args = ['run', list, '--pops', 'SIN2-P1', ...mapFlags(scene, edge)];
    const urlsIn = ({ stdout }: { readonly stdout: string }) => stdout.split('\n').filter((line) => line.startsWith('  https://'));
    const [short, long] = await Promise.all([scene.run(args), scene.run([...args, '--verbose'])]);
    expect(urlsIn(short)).toHaveLength(10);
    expect(short.stdout).toContain('\n  and 4 more\n');
    expect(urlsIn(long)).toHaveLength(14);
  });

  test('a run shows its failures also where their file cannot be written', async (context) => {
    const scene = openScene(context);
    const { args, missing, pops } = await openRun(scene);
    mkdirSync(scene.at('warm.d/failures.csv'), { recursive: true, mode: 0o700 });
    const ended = await scene.run([...args, '--pops', pops.join(','), '--data-dir', scene.at('warm.d')]);
    expect(ended).toMatchObject({ code: 1, stdout: expect.stringContaining(`: ${missing}\n`) as string });
    expect(ended.stderr).toContain(`could not be written to ${scene.at('warm.d/failures.csv')}`);
    expect(ended.stdout).not.toContain('All failed targets');
  });
});

test('a resumed run reports its time without the pause before it', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ latencies: { edgeMs: 60 } });
  const urls = Array.from({ length: 60 }, (_, index) => urlOf(edge, `/o/1k/${index}`));
  const flags = ['--pops', 'SIN2-P1', ...mapFlags(scene, edge), '--agents', '1', '--concurrency', '4', '--data-dir', scene.at('warm.d')];
  const startedAt = Date.now();
  const running = scene.start(['run', scene.list(urls), ...flags]);
  await until('downloads', () => edge.counters().edge.gets > 8);
  running.signal('SIGINT');
  await running.ended;
  await sleep(4000);
  const resumed = await scene.run(['run', '--resume', '--data-dir', scene.at('warm.d')]);
  expect(resumed.code).toBe(0);
  const told = Number(/in ([\d.]+) s\.\n$/.exec(resumed.stdout)?.[1]) * 1000;
  expect(told).toBeGreaterThan(0);
  expect(told).toBeLessThan(Date.now() - startedAt - 3900);
});
