import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Fault, FaultMatch } from '../../../simulator/fault-rules.ts';
import { findCold } from '../../../testing/edge-viewer.ts';
import {
  dnsFlags,
  lastProgress,
  mapFlags,
  openScene,
  popsOf,
  type ReportRow,
  targetsIn,
  targetsOf,
  urlOf,
} from '../../../testing/scene.ts';

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
/** The product with agents that wait less long; everything else is as users have it. */
const IMPATIENT = { command: [process.execPath, pathOf('scripts/run-with-agent.ts'), pathOf('scripts/impatient-agent.ts')] };

const HOLDS_ALL = ['/o/1k/a', '/o/1k/b', '/o/1k/c', '/o/0/empty', '/o/64k/at-most', '/o/65537/above', '/o/1m/large'];

interface PathFault {
  readonly path: string;
  readonly fault?: Fault;
  readonly times?: number;
  readonly row: ReportRow;
  /** Of GETs; absent: not told. */
  readonly attempts?: number;
}

const status = (code: number): Fault => ({ kind: 'status', status: code });
const failed = (reason: string, rest: ReportRow = {}): ReportRow => ({ outcome: 'failed', reason, ...rest });
const warmed = (rest: ReportRow = {}): ReportRow => ({ outcome: 'warmed', reason: '', status: '200', ...rest });

/** What one POP with one address does wrong with single objects, and what is to come of it. */
const PATH_FAULTS: readonly PathFault[] = [
  { path: '/o/1k/s500', fault: status(500), row: failed('status_500', { status: '500' }), attempts: 3 },
  { path: '/o/1k/s503-once', fault: status(503), times: 1, row: warmed() },
  { path: '/o/1k/s404', fault: status(404), row: failed('status_404', { status: '404' }), attempts: 1 },
  { path: '/o/1k/s403', fault: status(403), row: failed('status_403'), attempts: 1 },
  { path: '/o/1k/s429', fault: status(429), row: failed('status_429'), attempts: 3 },
  { path: '/o/1k/redirect', fault: { kind: 'status', status: 301, location: '/o/1k/a' }, row: failed('status_301'), attempts: 1 },
  { path: '/none', row: failed('status_404', { x_cache_last: 'Error from cloudfront' }), attempts: 1 },
  { path: '/o/1k/reset', fault: { kind: 'reset' }, row: failed('connection', { status: '', bytes: '' }), attempts: 3 },
  { path: '/o/1k/reset-once', fault: { kind: 'reset' }, times: 1, row: warmed() },
  { path: '/o/1k/silent', fault: { kind: 'stall', at: 'headers' }, row: failed('timeout', { status: '' }), attempts: 3 },
  {
    path: '/o/100k/stalls',
    fault: { kind: 'stall', at: 'body', afterBytes: 9000 },
    row: failed('timeout', { status: '200' }),
    attempts: 3,
  },
  { path: '/o/100k/stalls-once', fault: { kind: 'stall', at: 'body', afterBytes: 9000 }, times: 1, row: warmed({ bytes: '102400' }) },
  { path: '/o/100k/cut', fault: { kind: 'truncate', afterBytes: 9000 }, row: failed('truncated', { bytes: '' }), attempts: 3 },
  { path: '/o/100k/cut-once', fault: { kind: 'truncate', afterBytes: 9000 }, times: 1, row: warmed({ bytes: '102400' }) },
  {
    path: '/o/1k/never-hit',
    fault: { kind: 'never-hit' },
    row: failed('not_cached', { x_cache_last: 'Miss from cloudfront' }),
    attempts: 5,
  },
  { path: '/o/100k/never-hit', fault: { kind: 'never-hit' }, row: failed('not_cached'), attempts: 5 },
  { path: '/o/1k/never-stored', fault: { kind: 'never-store' }, row: failed('not_cached'), attempts: 5 },
  { path: '/no-store', row: failed('not_cached'), attempts: 2 },
  { path: '/private', row: failed('not_cached'), attempts: 2 },
  { path: '/o/1k/no-x-cache', fault: { kind: 'no-x-cache' }, row: failed('no_cache_header', { x_cache_first: '' }), attempts: 1 },
  { path: '/o/1k/function', fault: { kind: 'generated', by: 'function' }, row: failed('generated'), attempts: 1 },
  { path: '/o/1k/lambda', fault: { kind: 'generated', by: 'lambda' }, row: failed('generated'), attempts: 1 },
  {
    path: '/o/1k/error-page',
    fault: { kind: 'status', status: 200, xCache: 'Error from cloudfront' },
    row: failed('error_page', { status: '200' }),
    attempts: 1,
  },
  { path: '/o/1k/challenge', fault: { kind: 'challenge', action: 'challenge' }, row: failed('challenged', { status: '202' }), attempts: 1 },
  { path: '/o/1k/captcha', fault: { kind: 'challenge', action: 'captcha' }, row: failed('challenged', { status: '405' }), attempts: 1 },
  { path: '/o/1k/part', fault: { kind: 'unasked-part' }, row: failed('status_206', { status: '206' }), attempts: 1 },
  { path: '/o/100k/other-total', fault: { kind: 'range-total', bytes: 5000 }, row: warmed({ notes: 'verified' }), attempts: 3 },
  {
    path: '/o/1k/hit-behind-miss',
    fault: { kind: 'x-cache', lines: ['Hit from cloudfront', 'Miss from cloudfront'] },
    row: failed('not_cached', { x_cache_last: 'Hit from cloudfront, Miss from cloudfront' }),
    attempts: 5,
  },
  {
    path: '/o/1k/two-pops',
    fault: { kind: 'wrong-pop', pop: ['LHR61-P3', 'SIN2-P1'] },
    row: warmed({ served_by: 'LHR61-P3, SIN2-P1', notes: 'verified' }),
  },
  {
    path: '/o/1k/elsewhere',
    fault: { kind: 'wrong-pop', pop: 'LHR61-P3' },
    row: failed('wrong_pop', { served_by: 'LHR61-P3' }),
    attempts: 1,
  },
  { path: '/o/1k/near', fault: { kind: 'wrong-pop', pop: 'SIN52-C2' }, row: warmed({ served_by: 'SIN52-C2', notes: 'verified;near' }) },
  { path: '/o/1k/slow', fault: { kind: 'latency', ms: 400 }, row: warmed({ notes: 'verified' }) },
];

const ORIGIN: Record<string, string> = { '/no-store': 'no-store', '/private': 'private, max-age=60' };

function objects(path: string): { size: number; cacheControl?: string } | null {
  const size = /^\/o\/(\d+)(k|m)?\//.exec(path);
  if (size !== null) return { size: Number(size[1]) * (size[2] === 'm' ? 1024 ** 2 : size[2] === 'k' ? 1024 : 1) };
  const cacheControl = ORIGIN[path];
  return cacheControl === undefined ? null : { size: 500, cacheControl };
}

const rowsAt = (rows: readonly ReportRow[], pop: string) => rows.filter((row) => row['pop'] === pop);

describe.concurrent('faults of the edge', () => {
  test('faults of single objects and of whole POPs each end as their own reason, and harm nothing else', {
    timeout: 120_000,
  }, async (context) => {
    const scene = openScene(context);
    const pops = ['SIN2-P1', 'FRA56-P4', 'NRT57-P3', 'GRU3-P1', 'ARN56-P1', 'IAD89-P1', 'LHR61-P3'].map((pop) => ({
      pop,
      addresses: pop === 'NRT57-P3' ? 2 : 1,
    }));
    const edge = await scene.edge({ pops, objects });
    const fault = (match: FaultMatch, what: Fault) => edge.setFault(match, what);
    const ends = PATH_FAULTS.flatMap(({ path, times, fault: what }) => {
      if (what === undefined) return [];
      const match = { pop: 'SIN2-P1', path, method: 'GET' as const };
      return [fault(times === undefined ? match : { ...match, times }, what)];
    });
    const [deadAddress = ''] = edge.edgeMap['NRT57-P3'] ?? [];
    ends.push(fault({ address: deadAddress }, { kind: 'dead', how: 'refuses' }));
    ends.push(fault({ pop: 'GRU3-P1' }, { kind: 'dead', how: 'refuses' }));
    ends.push(fault({ pop: 'ARN56-P1' }, { kind: 'dead', how: 'silent' }));
    ends.push(fault({ pop: 'IAD89-P1' }, { kind: 'wrong-certificate' }));
    ends.push(fault({ pop: 'LHR61-P3' }, { kind: 'wrong-pop', pop: 'FRA56-P4' }));

    const paths = [...HOLDS_ALL, ...PATH_FAULTS.map(({ path }) => path)];
    const urls = paths.map((path) => urlOf(edge, path));
    const names = popsOf(edge).join(',');
    const args = [scene.list(urls), '--pops', names, ...mapFlags(scene, edge), '--agents', '1', '--json', '--out', scene.at('report.csv')];
    const { code, stdout, stderr } = await scene.run(args, IMPATIENT);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const rows = scene.report('report.csv');
    expect(targetsIn(rows)).toEqual(targetsOf(urls, popsOf(edge)));

    for (const { path, row, attempts } of PATH_FAULTS) {
      const found = rows.find(({ pop, url }) => pop === 'SIN2-P1' && url === urlOf(edge, path));
      expect({ path, ...found }).toMatchObject({ path, ...row, ...(attempts === undefined ? {} : { attempts: String(attempts) }) });
    }
    const ownFaults = new Set(['/none', '/no-store', '/private'].map((path) => urlOf(edge, path)));
    const sound = (pop: string, some = paths) => {
      const wanted = new Set(some.map((path) => urlOf(edge, path)));
      return rowsAt(rows, pop).filter(({ url = '' }) => wanted.has(url) && !ownFaults.has(url));
    };
    for (const row of [...sound('SIN2-P1', HOLDS_ALL), ...sound('FRA56-P4'), ...sound('NRT57-P3')]) {
      expect(row).toMatchObject({ ...warmed(), served_by: row['pop'], notes: expect.stringMatching(/^verified(;unreachable=\S+)?$/) });
    }
    // The first three targets are asked at every address; the others meet the dead one only when it is their turn.
    expect(rowsAt(rows, 'NRT57-P3').filter(({ notes }) => notes?.includes(`unreachable=${deadAddress}`)).length).toBeGreaterThanOrEqual(3);
    for (const row of sound('GRU3-P1')) expect(row).toMatchObject(failed('connection', { attempts: '3', status: '', served_by: '' }));
    for (const row of sound('ARN56-P1')) expect(row).toMatchObject(failed('timeout', { attempts: '3' }));
    for (const row of sound('IAD89-P1')) expect(row).toMatchObject(failed('tls', { attempts: '3' }));
    for (const row of sound('LHR61-P3')) expect(row).toMatchObject(failed('wrong_pop', { served_by: 'FRA56-P4', attempts: '1' }));

    const outcomes = (outcome: string) => rows.filter((row) => row['outcome'] === outcome);
    const done = [...outcomes('warmed'), ...outcomes('already_warm')];
    const final = lastProgress(stdout);
    expect(final).toMatchObject({
      status: 'FINISHED',
      percentage_complete: 100,
      total_count: rows.length,
      failed_count: outcomes('failed').length,
      download_count: done.length,
      near_count: 1,
      download_size: done.reduce((sum, { bytes }) => sum + Number(bytes), 0),
    });
    const { edge: traffic } = edge.counters();
    expect(final.edge_bytes).toBeLessThanOrEqual(traffic.bodyBytes);
    expect(final.edge_bytes).toBeGreaterThan(traffic.bodyBytes * 0.9);

    await Promise.all(ends.map((end) => end()));
    const held = paths.filter((path) => !ownFaults.has(urlOf(edge, path)));
    expect(await findCold(edge, held, ['FRA56-P4'])).toEqual([]);
    expect(await findCold(edge, HOLDS_ALL, ['SIN2-P1', 'NRT57-P3'])).toEqual([]);
  });

  test('two and four separate caches behind a POP are each warmed, over http and https, and every byte is accounted for', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({
      pops: [
        { pop: 'YUL62-C2', addresses: 2, separateCaches: true },
        { pop: 'SYD1-C1', addresses: 4, separateCaches: true },
        { pop: 'FRA56-P4', addresses: 2 },
      ],
      objects: (path) =>
        path === '/chunked' ? { size: 90_000, chunked: true } : path === '/no-etag' ? { size: 90_000, etag: '' } : objects(path),
    });
    const paths = [...HOLDS_ALL, '/chunked', '/no-etag'];
    const urls = [...paths.map((path) => urlOf(edge, path)), urlOf(edge, '/o/2k/plain', 'http'), urlOf(edge, '/o/70k/plain', 'http')];
    const args = [scene.list(urls), '--pops', popsOf(edge).join(','), ...mapFlags(scene, edge), '--json', '--out', scene.at('report.csv')];
    const { code, stdout, stderr } = await scene.run(['run', ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const rows = scene.report('report.csv');
    expect(targetsIn(rows)).toEqual(targetsOf(urls, popsOf(edge)));
    for (const row of rows) expect(row).toMatchObject(warmed({ served_by: row['pop'] ?? '', notes: 'verified' }));
    const sizes = urls.map((url) => Number(rows.find((row) => row['url'] === url)?.['bytes']));
    expect(sizes).toEqual([1024, 1024, 1024, 0, 65_536, 65_537, 1_048_576, 90_000, 90_000, 2048, 71_680]);
    const size = sizes.reduce((sum, bytes) => sum + bytes, 0) * 3;
    expect(lastProgress(stdout)).toMatchObject({
      status: 'FINISHED',
      warmed_count: rows.length,
      verified_count: rows.length,
      failed_count: 0,
      download_size: size,
      total_size: size,
      edge_bytes: edge.counters().edge.bodyBytes,
    });
    expect(await findCold(edge, [...paths, '/o/2k/plain', '/o/70k/plain'])).toEqual([]);
  });
});

test.skipIf(process.platform !== 'linux')('a named POP that does not resolve fails, a default one is left out', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({
    bind: 'addresses',
    pops: [{ pop: 'SIN2-P1' }, { pop: 'FRA56-P4' }, { pop: 'GRU1-C2' }, { pop: 'SYD1-C1' }],
  });
  edge.setDnsFault('d111111abcdef8.GRU1-C2.cloudfront.net', 'empty');
  edge.setDnsFault('d111111abcdef8.SYD1-C1.cloudfront.net', 'servfail');
  const urls = [urlOf(edge, '/o/1k/a'), urlOf(edge, '/o/2k/b')];
  const common = ['run', scene.list(urls), ...dnsFlags(scene, edge), '--json'];
  const [named, byDefault] = await Promise.all([
    scene.run([...common, '--pops', 'SIN2-P1,GRU1-C2,SYD1-C1,ZZZ9-P9', '--out', scene.at('named.csv')]),
    scene.run([...common, '--out', scene.at('default.csv')]),
  ]);
  expect({ code: named.code, stderr: named.stderr }).toEqual({ code: 1, stderr: '' });
  const rows = scene.report('named.csv');
  expect(targetsIn(rows)).toEqual(targetsOf(urls, ['SIN2-P1', 'GRU1-C2', 'SYD1-C1', 'ZZZ9-P9']));
  for (const row of rows) {
    // Both runs warm this POP, so one of them may find what the other brought.
    const wanted =
      row['pop'] === 'SIN2-P1' ? { reason: '', notes: 'verified' } : failed('pop_unresolvable', { attempts: '0', address: '', status: '' });
    expect(row).toMatchObject(wanted);
  }
  expect(lastProgress(named.stdout)).toMatchObject({
    status: 'FINISHED',
    total_count: 8,
    download_count: 2,
    failed_count: 6,
    skipped_pops: [],
  });

  // Most of the default POPs are not there.
  expect(byDefault.code).toBe(1);
  expect(byDefault.stderr).toMatch(/^default POPs: 30 of \d+ known POPs: .*\n$/);
  expect(targetsIn(scene.report('default.csv'))).toEqual(targetsOf(urls, ['SIN2-P1', 'FRA56-P4']));
  const final = lastProgress(byDefault.stdout);
  expect(final).toMatchObject({ status: 'FINISHED', total_count: 4, download_count: 4, failed_count: 0 });
  expect(final.skipped_pops).toEqual(expect.arrayContaining(['GRU1-C2', 'SYD1-C1', 'NRT57-P3', 'IAD89-P1']));
  expect(final.skipped_pops).not.toEqual(expect.arrayContaining(['SIN2-P1']));
  expect(await findCold(edge, ['/o/1k/a', '/o/2k/b'], ['SIN2-P1', 'FRA56-P4'])).toEqual([]);
});

test('private addresses are not touched without leave, and nothing at all resolves into a request that failed', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge();
  const flags = mapFlags(scene, edge).filter((flag) => flag !== '--allow-private-addresses');
  const urls = [urlOf(edge, '/o/1k/a')];
  const list = scene.list(urls);
  const [refused, none] = await Promise.all([
    scene.run(['run', list, '--pops', 'SIN2-P1,FRA56-P4', ...flags, '--json', '--out', scene.at('refused.csv')]),
    scene.run(['run', list, '--regions', 'au', ...flags, '--json', '--out', scene.at('none.csv')]),
  ]);
  expect({ code: refused.code, stderr: refused.stderr }).toEqual({ code: 1, stderr: '' });
  expect(targetsIn(scene.report('refused.csv'))).toEqual(targetsOf(urls, ['SIN2-P1', 'FRA56-P4']));
  for (const row of scene.report('refused.csv')) expect(row).toMatchObject(failed('address_refused', { attempts: '0' }));
  expect(edge.counters().edge).toMatchObject({ gets: 0, heads: 0, ranges: 0 });

  expect(none.code).toBe(1);
  expect(lastProgress(none.stdout)).toMatchObject({
    status: 'FAILED',
    status_reason: expect.stringMatching(/none of the \d+ default POPs resolves/),
  });
});
