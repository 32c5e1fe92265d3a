import { describe, expect, test } from 'vitest';
import { createLiveText } from '../../../cli/print/live-text.ts';
import type { LaneView } from '../../../core/keep-warm/tally.ts';
import { ask, openEdge, serve } from '../../server/served.ts';
import { DYNAMIC, HOST, ROUTE } from '../../../testing/dynamic-edge.ts';
import { dnsFlags, mapFlags, openScene } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

interface Figures {
  readonly ended: boolean;
  readonly pops: readonly LaneView[];
}

const lastOf = (stdout: string) => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Figures;

describe('prewarm keep-warm', () => {
  test('keep-warm asks every address of the POPs until Ctrl-C, and ends with a table of them', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge(DYNAMIC);
    const running = scene.start(['keep-warm', ...ROUTE, '--per-minute', '600', ...mapFlags(scene, edge)]);
    await until('every address is asked', () => edge.counters().addresses.every(({ total }) => total.gets >= 3));
    running.signal('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/HKG62-C1 +Hong Kong +answers +\d+ +0 /);
    expect(stdout).toMatch(/FRA56-P4 +Frankfurt am Main +answers +\d+ +0 /);
    expect(stderr).toContain('2 POPs x 600 requests a minute x 1,440 minutes = 1,728,000 requests a day');
    const { addresses } = edge.counters();
    expect(
      Math.max(...addresses.map(({ total }) => total.gets)) - Math.min(...addresses.map(({ total }) => total.gets)),
    ).toBeLessThanOrEqual(1);
  });

  test('keep-warm continues at the other POPs when some are gone, hang or answer errors, and names these', async (context) => {
    const scene = openScene(context);
    const pops = ['HKG62-C1', 'FRA56-P4', 'GRU3-P1', 'SIN2-P1'].map((pop) => ({ pop }));
    const edge = await scene.edge({ ...DYNAMIC, pops });
    edge.setFault({ pop: 'FRA56-P4' }, { kind: 'dead', how: 'refuses' });
    edge.setFault({ pop: 'GRU3-P1' }, { kind: 'stall', at: 'headers' });
    edge.setFault({ pop: 'SIN2-P1' }, { kind: 'status', status: 502 });
    const named = 'HKG62-C1,FRA56-P4,GRU3-P1,SIN2-P1,ZZZ9-C1';
    const flags = ['--host', HOST, '--path', '/time', '--pops', named, '--per-minute', '240', '--json', ...mapFlags(scene, edge)];
    const running = scene.start(['keep-warm', ...flags]);
    await until('the hanging POP is told of', () => running.stderr().includes('GRU3-P1 does not answer'), 25_000);
    running.signal('SIGTERM');
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    const { pops: views, ended } = lastOf(stdout);
    expect(ended).toBe(true);
    const [well, refuses, hangs, errs, gone] = views;
    expect(well).toMatchObject({ pop: 'HKG62-C1', state: 'answering' });
    expect({ errors: well?.errors, unsent: well?.unsent }).toEqual({ errors: {}, unsent: {} });
    expect(well?.good).toBe(well?.requests);
    expect(well?.good).toBeGreaterThan(30);
    expect(well?.max_late_ms).toBeLessThan(1000);
    expect(refuses).toMatchObject({ state: 'silent', good: 0, errors: { connection: refuses?.requests } });
    expect(hangs).toMatchObject({ state: 'silent', good: 0, errors: { timeout: hangs?.requests } });
    expect(hangs?.unsent['busy']).toBeGreaterThan(0);
    expect(errs).toMatchObject({ state: 'answering', good: 0, errors: { status_502: errs?.requests } });
    expect(gone).toMatchObject({ state: 'pop_unresolvable', requests: 0 });
    for (const pop of ['FRA56-P4', 'GRU3-P1', 'ZZZ9-C1']) expect(stderr).toContain(`prewarm: ${pop} does not answer`);
    expect(stderr).toContain('ZZZ9-C1 is no place that is known here');
  }, 40_000);

  test('keep-warm finds POPs by DNS and the distribution by its alias, and sends the given method', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ ...DYNAMIC, bind: 'addresses' });
    const running = scene.start(['keep-warm', ...ROUTE, '--per-minute', '300', '--method', 'head', '--json', ...dnsFlags(scene, edge)]);
    await until('HEADs come', () => edge.counters().edge.heads > 8);
    running.signal('SIGINT');
    const { pops } = lastOf((await running.ended).stdout);
    expect(pops.map(({ state }) => state)).toEqual(['answering', 'answering']);
    expect(edge.counters().edge.gets).toBe(0);
    // Each address has one connection to the origin, and the first request on it found none.
    for (const pop of pops) {
      const opened = Math.round((pop.new_connection_share ?? 1) * pop.good);
      expect(opened).toBeGreaterThanOrEqual(2);
      expect(opened).toBeLessThanOrEqual(4);
    }
  });

  test('keep-warm sends nothing when it would exceed the budget, and prints the calculation', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge(DYNAMIC);
    const flags = mapFlags(scene, edge);
    const routes = [{ host: HOST, path: '/time', pops: ['HKG62-C1', 'FRA56-P4'], per_minute: 20 }];
    const file = scene.list(JSON.stringify(routes), 'routes.json');
    const [single, served] = await Promise.all([
      scene.run(['keep-warm', ...ROUTE, '--per-minute', '20', '--max-per-day', '57599', ...flags]),
      scene.run(['serve', '--keep-warm', file, '--keep-warm-max-per-day', '57599', ...flags]),
    ]);
    const why = '"57599": would be passed: 2 POPs x 20 requests a minute x 1,440 minutes = 57,600 requests a day; name fewer POPs';
    expect(single).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(`--max-per-day: ${why}`) });
    expect(served).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(`--keep-warm-max-per-day: ${why}`) });
    expect(edge.counters().edge.gets).toBe(0);
  });

  test('keep-warm refuses all wrong options together and sends nothing', async (context) => {
    const scene = openScene(context);
    const wrong = [
      '--max-per-day',
      '0',
      '--host',
      'https://x',
      '--pops',
      'Mars',
      '--per-minute',
      '0',
      '--for',
      '0',
      '--method',
      'PUT',
      '--header',
      'a\r\nb: c',
    ];
    const { code, stdout, stderr } = await scene.run(['keep-warm', ...wrong, '--edge-port', '0']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const fields = stderr
      .split('\n')
      .slice(1, -1)
      .map((line) => line.trim().split(':')[0]);
    const wanted = ['--edge-port', '--for', '--header', '--host', '--max-per-day', '--method', '--path', '--per-minute', '--pops'];
    expect(new Set(fields)).toEqual(new Set(wanted));
  });
});

describe('prewarm serve --keep-warm', () => {
  test('serve --keep-warm keeps routes warm beside its other work, shows figures at /metrics, and names a POP that is gone', async (context) => {
    const scene = openScene(context);
    const { edge, flags } = await openEdge(DYNAMIC);
    const routes = [
      { host: HOST, path: '/time', pops: ['HKG62-C1', 'ZZZ9-C1'], per_minute: 600 },
      { host: HOST, path: '/time', pops: ['FRA56-P4', 'HKG62-C1'], per_minute: 300, method: 'HEAD', headers: ['x-key: k'] },
    ];
    const served = await serve(['--keep-warm', scene.list(JSON.stringify(routes), 'routes.json'), ...flags]);
    await until('both are asked', () => edge.counters().edge.gets > 10 && edge.counters().edge.heads > 5);
    const { body } = await ask<string>(served, '/metrics');
    const of = (pattern: RegExp) => Number(pattern.exec(body)?.[1]);
    const labels = String.raw`\{url="https://api.example.com/time",pop="HKG62-C1"`;
    expect(of(new RegExp(`^prewarm_keep_warm_requests_total${labels}} (\\d+)$`, 'm'))).toBeGreaterThan(5);
    expect(of(new RegExp(`^prewarm_keep_warm_new_connections_total${labels}} (\\d+)$`, 'm'))).toBeGreaterThanOrEqual(2);
    expect(of(new RegExp(`^prewarm_keep_warm_first_byte_seconds${labels},quantile="0.5"} ([\\d.]+)$`, 'm'))).toBeGreaterThan(0.05);
    const series = [...body.matchAll(/^(prewarm_keep_warm_\S+) /gm)].map(([, name]) => name);
    expect(new Set(series).size, 'a URL that is kept warm with GET and with HEAD has its samples once').toBe(series.length);
    expect(body).toMatch(/^prewarm_keep_warm_pop_up\{.*pop="ZZZ9-C1"\} 0$/m);
    expect(body).toMatch(/^prewarm_keep_warm_unsent_total\{.*pop="ZZZ9-C1",reason="pop_unresolvable"\} \d+$/m);
    expect((await ask(served, '/healthz')).status).toBe(200);
    expect(await served.stop()).toBe(0);
    expect(served.stderr()).toContain('"state":"pop_unresolvable","detail":"the edge map does not name ZZZ9-C1"');
  });

  test('serve --keep-warm reports all wrong entries of a file of routes together', async (context) => {
    const scene = openScene(context);
    const entries = [
      { host: HOST, path: 'x', pops: ['?'], per_minute: 0 },
      { path: '/', pops: 'SIN2-P1' },
      { hosts: HOST, path: '/', pops: ['SIN2-P1'] },
    ];
    const file = scene.list(JSON.stringify(entries), 'routes.json');
    const { code, stderr } = await scene.run(['serve', '--keep-warm', file]);
    expect(code).toBe(2);
    const fields = stderr
      .split('\n')
      .slice(1, -1)
      .map((line) => line.trim().split(':')[0]);
    expect(fields).toEqual([
      '--keep-warm[0].path',
      '--keep-warm[0].pops',
      '--keep-warm[0].per_minute',
      '--keep-warm[1].pops',
      '--keep-warm[2]',
    ]);
    for (const content of ['{', '[]', '{"a": 1}']) {
      const refused = await scene.run(['serve', '--keep-warm', scene.list(content, 'routes.json')]);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('  --keep-warm: ') });
    }
  });
});

test('live text moves up as many lines as it drew and cuts lines that would wrap', () => {
  let written = '';
  const live = createLiveText({ write: (text) => (written += text), columns: 11, rows: 4 });
  live.show('a\nbb\n');
  live.show('one line that is long');
  live.note('note');
  live.clear();
  const escaped = written.replaceAll('\u001b', '^');
  const frames = ['\r^[Ka\n^[Kbb\n^[J', '^[2A\r^[Kone line t\n^[J', '^[1A\r^[K\n^[1Anote\n^[Kone line t\n^[J', '^[1A\r^[K\n^[1A'];
  expect(escaped).toBe(frames.join(''));
});

test('the help of keep-warm and timing has examples', async (context) => {
  const scene = openScene(context);
  for (const command of ['keep-warm', 'timing']) {
    expect(await scene.run([command, '--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Examples:\n  $ prewarm ') });
  }
});
