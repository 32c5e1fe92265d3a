import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test, type TestContext } from 'vitest';
import { lastProgress, mapFlags, openScene, type Scene, urlOf } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

const PATHS = Array.from({ length: 12 }, (_, index) => `/o/1k/object-${index}`);

/** A run of a list that is interrupted before its first download, and the flags that go on with it. */
async function interrupt(context: TestContext, source: (scene: Scene, urls: readonly string[]) => readonly string[]) {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
  const release = edge.setFault({ method: 'HEAD' }, { kind: 'stall', at: 'headers' });
  const urls = PATHS.map((path) => urlOf(edge, path));
  const flags = ['--data-dir', scene.at('data'), '--json'];
  const running = scene.start(['run', ...source(scene, urls), '--pops', 'SIN2-P1', ...mapFlags(scene, edge), ...flags]);
  await until('HEADs', () => edge.counters().edge.heads > 0);
  running.signal('SIGINT');
  expect((await running.ended).code).toBe(130);
  await release();
  const resume = (given: readonly string[], stdin = '') => {
    const resumed = scene.start(['run', '--resume', ...given, ...flags], { openStdin: true });
    resumed.stdin?.end(stdin);
    return resumed.ended;
  };
  return { scene, edge, urls, resume };
}

/** As the version before wrote it. */
function forgetDigests(scene: Scene): void {
  const path = scene.at('data/run.json');
  const { list: _list, ...record } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify(record));
}

describe.concurrent('a resumed run', () => {
  test.for([['with digests'], ['of the version before, without digests']] as const)(
    'a resumed run %s takes its list again and says so, and refuses another one before anything is sent',
    async ([kind], context) => {
      const { scene, edge, urls, resume } = await interrupt(context, (at, all) => [at.list(all)]);
      if (kind !== 'with digests') forgetDigests(scene);
      const other = scene.list(urls.slice(1), 'other.csv');
      const [another, url, stdin, missing] = [
        await resume([other]),
        await resume(['--url', urls[0] ?? '']),
        await resume(['-'], `url\n${urls[0]}\n`),
        await resume([scene.at('none.csv')]),
      ];
      expect(another).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/FILE: ".*other\.csv": is not the list of the interrupted run; leave it out/),
      });
      expect(url).toMatchObject({ code: 2, stderr: expect.stringMatching(/--url: ".*": is not what the interrupted run was given/) });
      expect(stdin).toMatchObject({ code: 2, stderr: expect.stringMatching(/FILE: "-": is not the list/) });
      expect(missing).toMatchObject({ code: 2, stderr: expect.stringMatching(/FILE: ".*none\.csv": cannot be read/) });
      expect(edge.counters().edge.gets).toBe(0);

      const same = await resume([scene.at('urls.csv')]);
      expect(same).toMatchObject({ code: 0, stderr: expect.stringContaining('the list is that of this run, which goes on\n') });
      expect(lastProgress(same.stdout)).toMatchObject({ status: 'FINISHED', total_count: 12, download_count: 12 });
      const piped = await resume(['-'], readFileSync(scene.at('urls.csv'), 'utf8'));
      expect(piped).toMatchObject({ code: 0, stderr: expect.stringContaining('the list is that of this run, which has ended\n') });
      expect((await resume([other])).code).toBe(2);
    },
  );

  test('a resumed run takes the options of its request again, and refuses others before anything is sent', async (context) => {
    const given = ['--header', 'X-Tier: secret', '--timeout', '20', '--name', 'spring launch', '--accept-status', '200,301'];
    const { edge, resume } = await interrupt(context, (at, all) => [at.list(all), ...given, '--first-byte-timeout', '9']);
    const others = [
      ['--domain', 'd999999abcdef8.cloudfront.net'],
      ['--pops', 'SIN2-P1,FRA56-P4'],
      ['--timeout', '21'],
      ['--name', 'autumn launch'],
      ['--accept-status', '200'],
      ['--first-byte-timeout', '10'],
    ];
    const refused = await resume([...others.flat(), '--header', 'X-Tier: other', '--invalidate']);
    const differs = 'is not what the interrupted run was given; leave it out to go on';
    for (const [flag, value] of others) expect(refused.stderr).toContain(`${flag}: "${value}": ${differs}`);
    for (const flag of ['--header', '--invalidate']) expect(refused.stderr).toMatch(new RegExp(`${flag}: (?:"": )?${differs}`));
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).not.toContain('X-Tier');
    for (const [flag, value] of [
      ['--countries', 'DE'],
      ['--regions', 'eu'],
    ] as const) {
      // What is the same beside it is no fault.
      const place = await resume([flag, value, '--name', 'spring launch']);
      expect(place).toMatchObject({ code: 2, stderr: expect.stringContaining(`${flag}: "${value}": ${differs}`) });
      expect(place.stderr).not.toContain('--name');
    }
    expect(edge.counters().edge.gets).toBe(0);

    const same = await resume([...given, '--pops', 'sin2-p1', '--first-byte-timeout', '9', '--skip-bad']);
    expect(same).toMatchObject({ code: 0, stderr: expect.stringContaining('--skip-bad means nothing to a resumed run') });
    // It has ended, and its headers are forgotten.
    expect((await resume(['--header', 'X-Tier: other', '--timeout', '20'])).code).toBe(0);
    expect((await resume(['--timeout', '21'])).code).toBe(2);
  });

  test('a resumed run takes its own --url again, beside FILE or alone, and no other', async (context) => {
    const { scene, urls, resume } = await interrupt(context, (at, all) => [
      at.list(all.slice(2)),
      '--url',
      all[0] ?? '',
      '--url',
      all[1] ?? '',
    ]);
    const list = scene.at('urls.csv');
    const [first = '', second = ''] = urls;
    expect((await resume([list, '--url', second])).code).toBe(2);
    expect((await resume([list, '--url', first, '--url', second])).code).toBe(0);
    expect((await resume(['--url', first, '--url', second])).code).toBe(0);
    expect((await resume([list])).code).toBe(0);
  });
});
