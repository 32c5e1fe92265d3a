import { describe, expect, test } from 'vitest';
import { lastProgress, mapFlags, openScene, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

const PATHS = Array.from({ length: 40 }, (_, index) => `/o/5k/object-${index}`);
/** Far less than any time-out of the product's, far more than a busy machine needs. */
const SECONDS = 1000;
const SOON = 9 * SECONDS;

const RESUME = /interrupted; go on with: (prewarm run --resume --data-dir (\S+))\n$/;

async function secondsTo(signalled: () => void, ended: Promise<unknown>): Promise<number> {
  const before = Date.now();
  signalled();
  await ended;
  return Date.now() - before;
}

describe.concurrent('an interrupt', () => {
  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'an interrupt by %s ends the run soon with 130, and the printed command continues it',
    async (signal, context) => {
      const scene = openScene(context);
      const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }, { pop: 'FRA56-P4' }], latencies: { edgeMs: 20 } });
      // Bodies that take minutes: whoever waited for them would not end in time.
      const release = edge.setFault({ path: '/o/5k/object-1*', method: 'GET' }, { kind: 'trickle', bytesPerSecond: 20 });
      const urls = PATHS.map((path) => urlOf(edge, path));
      const running = scene.start(['run', scene.list(urls), '--pops', 'SIN2-P1,FRA56-P4', ...mapFlags(scene, edge), '--concurrency', '30']);
      await until('downloads', () => edge.counters().edge.gets > 40);
      expect(await secondsTo(() => running.signal(signal), running.ended)).toBeLessThan(SOON);
      const { code, stderr, stdout } = await running.ended;
      expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
      expect(running.tree()).toEqual([]);
      const [, command = '', dataDir = ''] = RESUME.exec(stderr) ?? [stderr];
      expect(scene.temporaries().map((name) => scene.at(`tmp/${name}`))).toEqual([dataDir]);

      await release();
      const resumed = await scene.run([...command.split(' ').slice(1), '--json', '--out', scene.at('report.csv')]);
      expect(resumed).toMatchObject({ code: 0, stderr: '' });
      expect(lastProgress(resumed.stdout)).toMatchObject({ status: 'FINISHED', total_count: 80, download_count: 80, failed_count: 0 });
      expect(targetsIn(scene.report('report.csv'))).toEqual(targetsOf(urls, ['SIN2-P1', 'FRA56-P4']));
    },
  );

  test('an interrupt ends the run as soon while sizes are asked, while an invalidation lasts, and while standard input is open', async (context) => {
    const scene = openScene(context);
    const silent = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
    const releaseHeads = silent.setFault({ method: 'HEAD' }, { kind: 'stall', at: 'headers' });
    const slow = await scene.edge({ pops: [{ pop: 'SIN2-P1' }], invalidationDelayMs: 2000 });
    const list = scene.list(PATHS.map((path) => urlOf(silent, path)));
    const common = ['--pops', 'SIN2-P1', '--json'];
    const atSilent = [...common, ...mapFlags(scene, silent, 'silent')];
    const atSlow = [...common, ...mapFlags(scene, slow, 'slow'), '--invalidate', '--invalidation-endpoint', slow.invalidationEndpoint];
    const sizing = scene.start(['run', list, ...atSilent, '--data-dir', scene.at('sizing')]);
    const invalidating = scene.start(['run', list, ...atSlow, '--data-dir', scene.at('invalidating')]);
    const reading = scene.start(['run', '-', ...atSilent], { openStdin: true });
    reading.stdin?.write(`${urlOf(silent, '/o/5k/object-1')}\n`);
    await until('HEADs', () => silent.counters().edge.heads === PATHS.length);
    await until('an invalidation', () => invalidating.stdout().includes('INVALIDATING'));
    await until('an agent', () => reading.agents().length > 0);

    for (const running of [sizing, invalidating, reading]) running.signal('SIGINT');
    const before = Date.now();
    const ends = await Promise.all([sizing.ended, invalidating.ended, reading.ended]);
    expect(Date.now() - before).toBeLessThan(SOON);
    expect(ends.map(({ code }) => code)).toEqual([130, 130, 130]);
    expect([sizing, invalidating, reading].flatMap((running) => running.tree())).toEqual([]);
    expect(ends[0].stderr).toMatch(RESUME);
    expect(ends[1].stderr).toMatch(RESUME);
    // Nothing has begun, so there is nothing to go on with and nothing is left.
    expect(ends[2].stderr).not.toContain('--resume');
    expect(scene.temporaries()).toEqual([]);
    expect(silent.counters().edge.gets + slow.counters().edge.gets).toBe(0);

    await releaseHeads();
    const resumed = await Promise.all(
      ['sizing', 'invalidating'].map((name) => scene.run(['run', '--resume', '--data-dir', scene.at(name), '--json'])),
    );
    for (const { code, stdout } of resumed) {
      expect({ code, ...lastProgress(stdout) }).toMatchObject({ code: 0, status: 'FINISHED', warmed_count: 40, total_count: 40 });
    }
    expect(slow.invalidations.count).toBe(1);
  });

  test('a second interrupt ends everything at once, agents that hang included', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }], latencies: { edgeMs: 50 } });
    const list = scene.list(PATHS.map((path) => urlOf(edge, path)));
    const args = [
      'run',
      list,
      '--pops',
      'SIN2-P1',
      ...mapFlags(scene, edge),
      '--concurrency',
      '2',
      '--data-dir',
      scene.at('data'),
      '--json',
    ];
    const running = scene.start(args);
    await until('downloads', () => edge.counters().edge.gets > 2);
    const agents = running.agents();
    for (const agent of agents) process.kill(agent, 'SIGSTOP');
    running.signal('SIGINT');
    await until('it says that it is stopping', () => running.stderr().includes('stopping'));
    expect(await secondsTo(() => running.signal('SIGINT'), running.ended)).toBeLessThan(2 * SECONDS);
    expect((await running.ended).code).toBe(130);
    await until('the end of the agents', () => running.tree().length === 0);
    expect(await scene.run(['run', '--resume', '--data-dir', scene.at('data')])).toMatchObject({ code: 0 });
  });
});
