import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { mapFlags, openScene, type Scene, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

const MAIN = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const HANGUP = fileURLToPath(new URL('hangup.py', import.meta.url));
const PATHS = Array.from({ length: 60 }, (_, index) => `/o/2k/object-${index}`);
const POPS = ['SIN2-P1'];
const RESUME = /go on with: prewarm run --resume --data-dir (\S+)(?: --out \S+)?\n/;

/** The command with its output sent elsewhere by a shell. */
const redirected = (redirection: string) => ['sh', '-c', `exec "$0" "$@" ${redirection}`, process.execPath, MAIN];

/** An edge that is slow enough for something to happen in the middle, and the arguments of a run through it. */
async function openRun(scene: Scene, edgeMs = 5) {
  const edge = await scene.edge({ pops: POPS.map((pop) => ({ pop })), latencies: { edgeMs } });
  const urls = PATHS.map((path) => urlOf(edge, path));
  const args = ['run', scene.list(urls), '--pops', POPS.join(','), ...mapFlags(scene, edge), '--agents', '1', '--concurrency', '4'];
  return { edge, urls, args };
}

const expectWholeReport = (scene: Scene, urls: readonly string[]) =>
  expect(targetsIn(scene.report('report.csv'))).toEqual(targetsOf(urls, POPS));

describe.concurrent('a full disk', () => {
  test('a full disk behind standard output costs the run no result, and one line says how to get the rest', async (context) => {
    const scene = openScene(context);
    const { urls, args } = await openRun(scene);
    for (const form of [[], ['--json']]) {
      const ended = await scene.run([...args, ...form, '--out', scene.at('report.csv')], { command: redirected('> /dev/full') });
      expect(ended.code).toBe(1);
      const said = ended.stderr.split('\n').filter((line) => line.startsWith('prewarm:'));
      expect(said).toEqual([
        expect.stringMatching(/^prewarm: the output could not be written: no space left on device; go on with: prewarm run --resume/),
      ]);
      expect(ended.stderr).not.toContain('    at ');
      expectWholeReport(scene, urls);
      const [, dataDir = ''] = RESUME.exec(ended.stderr) ?? [];
      const resumed = await scene.run(['run', '--resume', '--data-dir', dataDir]);
      expect(resumed).toMatchObject({ code: 0, stdout: expect.stringContaining('60 of 60 targets warm') });
    }
  });

  test.for([
    ['behind standard error', '2> /dev/full', 0],
    ['behind both outputs', '> /dev/full 2>&1', 1],
  ] as const)('a full disk %s ends the drawing and neither the run nor its report', async ([, redirection, code], context) => {
    const scene = openScene(context);
    const { urls, args } = await openRun(scene);
    const ended = await scene.run([...args, '--out', scene.at('report.csv')], { command: redirected(redirection) });
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code, stderr: '' });
    expectWholeReport(scene, urls);
  });

  test('a full disk behind the report is reported with exit code 1, and the work is kept to go on with', async (context) => {
    const scene = openScene(context);
    const { urls, args } = await openRun(scene);
    const ended = await scene.run([...args, '--out', '/dev/full']);
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/prewarm: the report could not be written to \/dev\/full: .*no space left/i),
    });
    const [, dataDir = ''] = RESUME.exec(ended.stderr) ?? [];
    expect(await scene.run(['run', '--resume', '--data-dir', dataDir, '--out', scene.at('report.csv')])).toMatchObject({ code: 0 });
    expectWholeReport(scene, urls);
  });

  test('a full disk behind the output of other commands is reported in one line, too', async (context) => {
    const ended = await openScene(context).run(['--help'], { command: redirected('> /dev/full') });
    expect(ended).toMatchObject({ code: 1, stderr: 'prewarm: the output could not be written: no space left on device\n' });
  });
});

describe.concurrent('closed outputs', () => {
  test('outputs that were closed from the start cost no result', async (context) => {
    const scene = openScene(context);
    const { urls, args } = await openRun(scene);
    const ended = await scene.run([...args, '--out', scene.at('report.csv')], { command: redirected('>&- 2>&-') });
    expect(ended.code).toBe(0);
    expectWholeReport(scene, urls);
  });
});

describe.concurrent('a terminal that goes away', () => {
  const inShell = (args: readonly string[]) => [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');

  test('a lost terminal does not end a run under nohup, which writes its report with every row', async (context) => {
    const scene = openScene(context);
    const { edge, urls, args } = await openRun(scene, 100);
    const line = `nohup ${inShell([...args, '--out', scene.at('report.csv')])} > ${scene.at('log')} 2>&1 &`;
    const terminal = scene.start([line, scene.at('gone')], { command: ['python3', HANGUP] });
    await until('downloads', () => edge.counters().edge.gets > 4);
    scene.list('', 'gone');
    await terminal.ended;
    expect(existsSync(scene.at('report.csv'))).toBe(false);
    await until('the report', () => existsSync(scene.at('report.csv')));
    expectWholeReport(scene, urls);
    await until('the end', () => readFileSync(scene.at('log'), 'utf8').includes('60 of 60 targets warm'));
  });

  test('a lost terminal ends a run without nohup as SIGTERM does: agents end, and the rest is named', async (context) => {
    const scene = openScene(context);
    const { edge, args } = await openRun(scene, 100);
    const line = `${inShell([...args, '--data-dir', scene.at('data')])} 2> ${scene.at('log')}`;
    const terminal = scene.start([line, scene.at('gone')], { command: ['python3', HANGUP] });
    await until('downloads', () => edge.counters().edge.gets > 4);
    scene.list('', 'gone');
    await terminal.ended;
    await until('the last words', () => RESUME.test(readFileSync(scene.at('log'), 'utf8')));
    const gets = edge.counters().edge.gets;
    expect(await scene.run(['run', '--resume', '--data-dir', scene.at('data')])).toMatchObject({ code: 0 });
    expect(gets).toBeLessThan(edge.counters().edge.gets);
  });

  test('a lost terminal with all its drawing ends nothing of a run that ignores the hangup', async (context) => {
    const scene = openScene(context);
    const { edge, urls, args } = await openRun(scene, 100);
    // The shell ignores the signal, and so hands that on; both outputs stay at the terminal, where writing fails from then on.
    const line = `trap '' HUP; ${inShell([...args, '--out', scene.at('report.csv')])}`;
    const terminal = scene.start([line, scene.at('gone')], { command: ['python3', HANGUP] });
    await until('downloads', () => edge.counters().edge.gets > 4);
    scene.list('', 'gone');
    await until('the report', () => existsSync(scene.at('report.csv')));
    expect(targetsIn(scene.report('report.csv'))).toEqual(targetsOf(urls, POPS));
    await terminal.ended;
  });

  test('a terminal that is lost while the list is being read leaves nothing behind', async (context) => {
    const scene = openScene(context);
    const { args } = await openRun(scene);
    const running = scene.start(['run', '-', ...args.slice(2)], { openStdin: true });
    await until('an agent', () => running.agents().length > 0);
    running.signal('SIGHUP');
    expect(await running.ended).toMatchObject({ code: 130, stderr: expect.stringMatching(/interrupted\n$/) });
    expect(running.tree()).toEqual([]);
    expect(scene.temporaries()).toEqual([]);
  });

  test('a lost terminal costs no agent, because the parent decides what a hangup means', async (context) => {
    const scene = openScene(context);
    const { edge, args } = await openRun(scene, 50);
    const running = scene.start(args);
    await until('downloads', () => edge.counters().edge.gets > 4);
    const agents = running.agents();
    for (const agent of agents) process.kill(agent, 'SIGHUP');
    await until('more downloads', () => edge.counters().edge.gets > 40);
    expect(running.agents()).toEqual(agents);
    expect(await running.ended).toMatchObject({ code: 0 });
  });
});

describe.concurrent('a second signal right after the first', () => {
  test.for([
    ['SIGINT', 'SIGINT'],
    ['SIGINT', 'SIGTERM'],
    ['SIGHUP', 'SIGINT'],
  ] as const)(
    'a second signal (%s, then %s) ends all at once, still says how to go on, and leaves no agent',
    async ([first, second], context) => {
      const scene = openScene(context);
      const { edge, args } = await openRun(scene, 50);
      const running = scene.start(args);
      await until('downloads', () => edge.counters().edge.gets > 4);
      // Agents that hang give nothing back, so that the run is still waiting when the second signal comes.
      for (const agent of running.agents()) process.kill(agent, 'SIGSTOP');
      running.signal(first);
      await new Promise((resolve) => {
        setTimeout(resolve, 150);
      });
      running.signal(second);
      const { code, stderr } = await running.ended;
      expect(code).toBe(130);
      const [, dataDir = ''] = RESUME.exec(stderr) ?? [stderr];
      await until('the end of the agents', () => running.tree().length === 0);
      expect(scene.temporaries().map((name) => scene.at(`tmp/${name}`))).toEqual([dataDir]);
      expect(await scene.run(['run', '--resume', '--data-dir', dataDir])).toMatchObject({ code: 0 });
    },
  );
});
