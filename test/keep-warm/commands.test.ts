import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createLiveText } from '../../cli/live-text.ts';
import { readTimingCsv } from '../../cli/timing-csv.ts';
import type { InputFault } from '../../core/errors.ts';
import type { LaneView } from '../../core/keep-warm/tally.ts';
import type { SimulatedEdgeOptions } from '../../simulator/edge-options.ts';
import { ask, openEdge, serve } from '../api/served.ts';
import { dnsFlags, mapFlags, openScene, until } from '../run/scene.ts';

const HOST = 'api.example.com';
const URL_OF_TIME = `https://${HOST}/time`;
const ROUND_TRIP_MS = 60;

/** Two POPs of two servers each, far from the origin, whose idle connections end after five seconds. */
const DYNAMIC: SimulatedEdgeOptions = {
  aliases: [HOST],
  pops: [
    { pop: 'HKG62-C1', addresses: 2, separateCaches: true },
    { pop: 'FRA56-P4', addresses: 2, separateCaches: true },
  ],
  objects: (path) => {
    if (path === '/broken') return { size: 5, status: 503 };
    return path.startsWith('/time') ? { size: 40, cacheControl: 'no-store' } : null;
  },
  originNetwork: { idleMs: 5000, tlsRoundTrips: 1, roundTripMs: () => ROUND_TRIP_MS },
};
const ROUTE = ['--host', HOST, '--path', '/time', '--pops', 'HKG62-C1,FRA56-P4'];

interface Figures {
  readonly ended: boolean;
  readonly pops: readonly LaneView[];
}

const lastOf = (stdout: string) => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Figures;

describe('prewarm keep-warm', () => {
  test('asks every address of the POPs until Ctrl-C, and ends with a table of them', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge(DYNAMIC);
    const running = scene.start(['keep-warm', ...ROUTE, '--per-minute', '600', ...mapFlags(scene, edge)]);
    await until('every address is asked', () => edge.counters().addresses.every(({ total }) => total.gets >= 3));
    running.signal('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/HKG62-C1 +Hong Kong +answers +\d+ +0 /);
    expect(stdout).toMatch(/FRA56-P4 +Frankfurt am Main +answers +\d+ +0 /);
    expect(stderr).toContain('2 POPs x 600 requests x 1,440 runs = 1,728,000 requests a day');
    const { addresses } = edge.counters();
    expect(
      Math.max(...addresses.map(({ total }) => total.gets)) - Math.min(...addresses.map(({ total }) => total.gets)),
    ).toBeLessThanOrEqual(1);
  });

  test('goes on with the others where POPs are gone, hang or answer errors, and names them', async (context) => {
    const scene = openScene(context);
    const pops = ['HKG62-C1', 'FRA56-P4', 'GRU3-P1', 'SIN2-P1'].map((pop) => ({ pop }));
    const edge = await scene.edge({ ...DYNAMIC, pops });
    edge.setFault({ pop: 'FRA56-P4' }, { kind: 'dead', how: 'refuses' });
    edge.setFault({ pop: 'GRU3-P1' }, { kind: 'stall', at: 'headers' });
    edge.setFault({ pop: 'SIN2-P1' }, { kind: 'status', status: 502 });
    const named = 'HKG62-C1,FRA56-P4,GRU3-P1,SIN2-P1,ZZZ9-C1';
    const flags = ['--host', HOST, '--path', '/time', '--pops', named, '--per-minute', '240', '--json', ...mapFlags(scene, edge)];
    const running = scene.start(['keep-warm', ...flags]);
    await until('the hanging POP is told of', () => running.stderr().includes('GRU3-P1 does not answer'), 25);
    running.signal('SIGTERM');
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    const { pops: views, ended } = lastOf(stdout);
    expect(ended).toBe(true);
    const [well, refuses, hangs, errs, gone] = views;
    expect(well).toMatchObject({ pop: 'HKG62-C1', state: 'answering', errors: {}, unsent: {} });
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

  test('finds POPs by DNS, the distribution by its alias, and sends what it is told to', async (context) => {
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

  test('refuses all that is wrong together, and sends nothing', async (context) => {
    const scene = openScene(context);
    const wrong = ['--host', 'https://x', '--pops', 'Mars', '--per-minute', '0', '--for', '0', '--method', 'PUT', '--header', 'a\r\nb: c'];
    const { code, stdout, stderr } = await scene.run(['keep-warm', ...wrong, '--edge-port', '0']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const fields = stderr
      .split('\n')
      .slice(1, -1)
      .map((line) => line.trim().split(':')[0]);
    const wanted = ['--edge-port', '--for', '--header', '--host', '--method', '--path', '--per-minute', '--pops'];
    expect(new Set(fields)).toEqual(new Set(wanted));
  });
});

describe('prewarm timing', () => {
  test('shows a line a request in the form of curl, and what connections of its own and the handshake behind the POP cost', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge(DYNAMIC);
    const args = ['timing', URL_OF_TIME, '--pops', 'HKG62-C1', '--count', '3', '--interval', '0.1'];
    const { code, stdout, stderr } = await scene.run([...args, ...mapFlags(scene, edge)]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.split('\n').slice(0, 3);
    const seconds = String.raw`\d+\.\d{6}`;
    const form = new RegExp(
      String.raw`^HKG62-C1 127\.0\.0\.1:\d+ \| dnslookup: ${seconds} \| connect: ${seconds} \| appconnect: (${seconds}) \| starttransfer: (${seconds}) \| ` +
        String.raw`total: ${seconds} \| status: 200 \| size: 40 \| x-cache: Miss from cloudfront \| x-amz-cf-pop: HKG62-C1 \| x-amz-cf-id: \S+ \| x-connection: (\w+)$`,
    );
    const seen = lines.map((line) => form.exec(line));
    // The third goes to the first address again.
    expect(seen.map((match) => match?.[3])).toEqual(['new', 'new', 'reused']);
    const waits = seen.map((match) => (Number(match?.[2]) - Number(match?.[1])) * 1000);
    expect(waits[0]).toBeGreaterThan(2.9 * ROUND_TRIP_MS);
    expect(waits[2]).toBeGreaterThan(0.9 * ROUND_TRIP_MS);
    expect(waits[2]).toBeLessThan(2.9 * ROUND_TRIP_MS);
    expect(stdout).toMatch(/\nHKG62-C1 +3 +0 +\S+ \/ \S+ \/ \S+/);
  });

  test('reuses connections when told to, and gives objects', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ ...DYNAMIC, pops: [{ pop: 'HKG62-C1' }] });
    const args = ['timing', URL_OF_TIME, '--pops', 'HKG62-C1', '--count', '2', '--interval', '0', '--reuse', '--json'];
    const { code, stdout } = await scene.run([...args, ...mapFlags(scene, edge)]);
    const [first, second, last] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(code).toBe(0);
    expect(first).toMatchObject({
      pop: 'HKG62-C1',
      error: null,
      status: 200,
      x_connection: 'new',
      tcp_ms: expect.any(Number),
      tls_ms: expect.any(Number),
    });
    expect(second).toMatchObject({ tcp_ms: null, tls_ms: null, x_connection: 'reused' });
    expect(last).toMatchObject({ summary: [{ pop: 'HKG62-C1', requests: 2, failed: 0 }] });
  });

  test('tells what keep-warm gains against what it found before', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge(DYNAMIC);
    const flags = mapFlags(scene, edge);
    const timing = ['timing', URL_OF_TIME, '--pops', 'HKG62-C1,FRA56-P4', '--count', '2', '--interval', '0', ...flags];
    const before = await scene.run([...timing, '--csv']);
    expect(before.code).toBe(0);
    expect(before.stderr).toContain('Milliseconds, median / p95 / max.');
    writeFileSync(scene.at('before.csv'), before.stdout);
    const warm = scene.start(['keep-warm', ...ROUTE, '--per-minute', '120', ...flags]);
    await until('every address has been kept warm', () => edge.counters().addresses.every(({ total }) => total.gets >= 3));
    const after = await scene.run([...timing, '--compare', scene.at('before.csv')]);
    warm.signal('SIGINT');
    await warm.ended;
    const gains = [...after.stdout.matchAll(/^(HKG62-C1|FRA56-P4) .*-\S+ \(-(\d+) %\) .*-\S+ \(-(\d+) %\)$/gm)];
    expect(new Set(gains.map(([, pop]) => pop))).toEqual(new Set(['FRA56-P4', 'HKG62-C1']));
    // Three round trips to the origin became one.
    for (const gain of gains) expect(Number(gain[3])).toBeGreaterThan(45);
  });

  test('goes where DNS leads without POPs, and tells of what fails without giving up', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ ...DYNAMIC, bind: 'addresses' });
    const flags = dnsFlags(scene, edge);
    const [fine, broken, refused, unknown] = await Promise.all([
      scene.run(['timing', URL_OF_TIME, '--count', '1', '--json', ...flags]),
      scene.run(['timing', `https://${HOST}/broken`, '--pops', 'FRA56-P4,ZZZ9-C1', '--count', '1', '--json', ...flags]),
      scene.run(['timing', URL_OF_TIME, '--count', '1', ...flags.filter((flag) => flag !== '--allow-private-addresses')]),
      scene.run(['timing', 'https://nowhere.example.com/', '--count', '2', '--interval', '0', ...flags]),
    ]);
    expect(fine.code).toBe(0);
    expect(JSON.parse(fine.stdout.split('\n')[0] ?? '')).toMatchObject({ pop: '', status: 200, x_connection: 'new' });
    expect(broken.code).toBe(1);
    const rows = broken.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.find(({ pop }) => pop === 'ZZZ9-C1')).toMatchObject({ error: 'dns', status: 0, tcp_ms: null });
    expect(rows.find(({ pop }) => pop === 'FRA56-P4')).toMatchObject({ error: null, status: 503 });
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('address_refused: api.example.com has the private') });
    expect(unknown).toMatchObject({ code: 1, stdout: expect.stringContaining('| dns: nowhere.example.com') });
    expect(unknown.stdout.match(/\| dns:/g)).toHaveLength(2);
  });

  test('gives up a request that hangs, and ends at Ctrl-C with what it has', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ ...DYNAMIC, pops: [{ pop: 'HKG62-C1' }] });
    const running = scene.start(['timing', URL_OF_TIME, '--pops', 'HKG62-C1', '--count', '9', '--interval', '1', ...mapFlags(scene, edge)]);
    await until('a line', () => running.stdout().includes('x-connection'));
    edge.setFault({ pop: 'HKG62-C1' }, { kind: 'stall', at: 'headers' });
    await sleep(1500);
    running.signal('SIGINT');
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    expect(stdout).toContain('Milliseconds, median / p95 / max.');
  });

  test('refuses all that is wrong together, and a file that is no measurement', async (context) => {
    const scene = openScene(context);
    const list = scene.list(['https://a.example.com/']);
    const wrong = ['ftp://x', '--count', '0', '--interval', '-1', '--json', '--csv', '--pops', ',', '--header', 'x', '--compare', list];
    const { code, stdout, stderr } = await scene.run(['timing', ...wrong]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const fields = stderr
      .split('\n')
      .slice(1, -1)
      .map((line) => line.trim().split(':')[0]);
    expect(new Set(fields)).toEqual(new Set(['--compare', '--count', '--csv', '--header', '--interval', '--pops', 'URL']));
    const faults: InputFault[] = [];
    for (const content of ['', 'a"b,c\n"', 'pop,error\nx,y\n'])
      expect(readTimingCsv(scene.list(content, 'bad.csv'), '--compare', faults)).toBeNull();
    expect(readTimingCsv(scene.at('none.csv'), '--compare', faults)).toBeNull();
    expect(faults.map(({ message }) => message.split(';')[0])).toEqual([
      'holds no measurement',
      expect.stringContaining('is not CSV'),
      expect.stringContaining('lacks the columns'),
      'cannot be read (ENOENT)',
    ]);
  });
});

describe('prewarm serve --keep-warm', () => {
  test('keeps routes warm beside its other work, with figures at /metrics, and names a POP that is gone', async (context) => {
    const scene = openScene(context);
    const { edge, flags } = await openEdge(DYNAMIC);
    const routes = [
      { host: HOST, path: '/time', pops: ['HKG62-C1', 'ZZZ9-C1'], per_minute: 600 },
      { host: HOST, path: '/time', pops: ['FRA56-P4'], per_minute: 300, method: 'HEAD', headers: ['x-key: k'] },
    ];
    const served = await serve(['--keep-warm', scene.list(JSON.stringify(routes), 'routes.json'), ...flags]);
    await until('both are asked', () => edge.counters().edge.gets > 10 && edge.counters().edge.heads > 5);
    const { body } = await ask<string>(served, '/metrics');
    const of = (pattern: RegExp) => Number(pattern.exec(body)?.[1]);
    const labels = String.raw`\{url="https://api.example.com/time",pop="HKG62-C1"`;
    expect(of(new RegExp(`^prewarm_keep_warm_requests_total${labels}} (\\d+)$`, 'm'))).toBeGreaterThan(5);
    expect(of(new RegExp(`^prewarm_keep_warm_new_connections_total${labels}} (\\d+)$`, 'm'))).toBeGreaterThanOrEqual(2);
    expect(of(new RegExp(`^prewarm_keep_warm_first_byte_seconds${labels},quantile="0.5"} ([\\d.]+)$`, 'm'))).toBeGreaterThan(0.05);
    expect(body).toMatch(/^prewarm_keep_warm_pop_up\{.*pop="ZZZ9-C1"\} 0$/m);
    expect(body).toMatch(/^prewarm_keep_warm_unsent_total\{.*pop="ZZZ9-C1",reason="pop_unresolvable"\} \d+$/m);
    expect((await ask(served, '/healthz')).status).toBe(200);
    expect(await served.stop()).toBe(0);
    expect(served.stderr()).toContain('"state":"pop_unresolvable","detail":"the edge map does not name ZZZ9-C1"');
  });

  test('refuses a file that is wrong by its entries, all of them together', async (context) => {
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

test('text that is drawn over itself moves up as many lines as it drew, and cuts what would wrap', () => {
  let written = '';
  const live = createLiveText({ write: (text) => (written += text), columns: 11, rows: 4 });
  live.show('a\nbb\n');
  live.show('one line that is long');
  live.note('note');
  live.clear();
  const escaped = written.replaceAll('\u001b', '^');
  expect(escaped).toBe('\r^[Ja\nbb\n^[2A\r^[Jone line t\n^[1A\r^[Jnote\none line t\n^[1A\r^[J');
});

test('the help of both commands has examples', async (context) => {
  const scene = openScene(context);
  for (const command of ['keep-warm', 'timing']) {
    expect(await scene.run([command, '--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Examples:\n  $ prewarm ') });
  }
});
