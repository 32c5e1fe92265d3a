import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { findCold } from '../../../testing/edge-viewer.ts';
import { dnsFlags, lastProgress, mapFlags, openScene, popsOf, progressOf, targetsIn, targetsOf, urlOf } from '../../../testing/scene.ts';

const FIELDS = [
  'already_warm_count available_task_count created_at download_count download_size edge_bytes eta_seconds failed_count',
  'in_progress_task_count last_update_time near_count percentage_complete provisional_bytes provisional_count rate',
  'request_id sized_count skipped_pops status status_reason stopped_count timestamp total_count total_size url_count verified_count',
  'warmed_count chosen_pop_count lost_places name',
].flatMap((names) => names.split(' '));
const TIMESTAMP = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/;
/** Nothing of this machine's that an AWS client would find. */
const NO_CREDENTIALS = {
  AWS_PROFILE: '',
  AWS_ACCESS_KEY_ID: '',
  AWS_SECRET_ACCESS_KEY: '',
  AWS_SESSION_TOKEN: '',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_SHARED_CREDENTIALS_FILE: '/nowhere/credentials',
  AWS_CONFIG_FILE: '/nowhere/config',
  AWS_WEB_IDENTITY_TOKEN_FILE: '',
  AWS_CONTAINER_CREDENTIALS_FULL_URI: '',
  AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '',
};

describe.concurrent('scripts', () => {
  test('scripts get progress objects only, which never fall back and end with exact counts', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ latencies: { edgeMs: 60 } });
    const urls = Array.from({ length: 80 }, (_, index) => urlOf(edge, `/o/1k/${index}`));
    const args = [
      scene.list(urls),
      '--pops',
      popsOf(edge).join(','),
      ...mapFlags(scene, edge),
      '--agents',
      '1',
      '--concurrency',
      '5',
      '--json',
    ];
    const { code, stdout, stderr } = await scene.run(['run', ...args]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = progressOf(stdout);
    expect(lines.length).toBeGreaterThan(2);
    let reached = 0;
    for (const line of lines) {
      const isLast = line === lines.at(-1);
      expect(Object.keys(line).sort()).toEqual(isLast ? [...FIELDS, 'failures', 'pops'].sort() : FIELDS.toSorted());
      expect(line.timestamp).toMatch(TIMESTAMP);
      expect(line.percentage_complete).toBeGreaterThanOrEqual(reached);
      reached = line.percentage_complete;
    }
    expect(lines.slice(0, -1).every(({ status }) => status !== 'FINISHED')).toBe(true);
    expect(lines.at(-1)).toMatchObject({
      status: 'FINISHED',
      status_reason: null,
      percentage_complete: 100,
      total_count: 160,
      download_count: 160,
      warmed_count: 160,
      failed_count: 0,
      verified_count: 160,
      download_size: 160 * 1024,
      total_size: 160 * 1024,
      eta_seconds: 0,
      skipped_pops: [],
      in_progress_task_count: 0,
      available_task_count: 0,
      provisional_count: 0,
      edge_bytes: edge.counters().edge.bodyBytes,
      failures: [],
      pops: [expect.objectContaining({ pop: 'SIN2-P1', warmed_count: 80 }), expect.objectContaining({ pop: 'FRA56-P4', warmed_count: 80 })],
    });
  });

  test('scripts hand over lists by standard input and flags, in any line ends, each URL once however it is written', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge();
    const a = urlOf(edge, '/o/1k/a');
    const b = urlOf(edge, '/o/1k/b', 'http');
    const c = urlOf(edge, '/o/1k/c,d?x=1,2');
    const flags = ['--url', a, '--url', `${a}#fragment`, '--pops', 'sin2-p1, FRA56-P4', '--pops', 'SIN2-P1', ...mapFlags(scene, edge)];
    const running = scene.start(['run', '-', ...flags, '--json', '--out', scene.at('report.csv')], { openStdin: true });
    const host = edge.host.toUpperCase();
    running.stdin?.end(`\ufeffid,URL,size\r\n1,${a},10\r\n2,https://${host}:443/o/1k/a,10\r\n\r\n3,"${b}",10\r\n4,"${c}",10`);
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '3 duplicates were dropped: each URL is warmed once\n' });
    expect(lastProgress(stdout)).toMatchObject({ total_count: 6, warmed_count: 6 });
    expect(targetsIn(scene.report('report.csv'))).toEqual(targetsOf([a, b, c], ['SIN2-P1', 'FRA56-P4']));
    const httpAddresses = Object.values(edge.httpEdgeMap).flat();
    for (const { url, address = '' } of scene.report('report.csv')) expect(httpAddresses.includes(address)).toBe(url === b);
    expect(await findCold(edge, ['/o/1k/a', '/o/1k/b', '/o/1k/c,d'])).toEqual([]);
  });

  test.skipIf(process.platform !== 'linux')(
    'scripts may name aliases only: DNS leads to the distribution, and each host is asked by its own name',
    async (context) => {
      const scene = openScene(context);
      const edge = await scene.edge({
        bind: 'addresses',
        aliases: ['www.example.com', 'img.example.com'],
        cnames: { 'img.example.com': 'cdn.example.com', 'cdn.example.com': 'www.example.com' },
        cachePolicy: { keyByHeaders: ['Host', 'Accept-Encoding'] },
        pops: [{ pop: 'SIN2-P1', addresses: 2 }],
      });
      const urls = ['https://www.example.com/o/1k/a', 'https://img.example.com/o/1k/a', 'http://img.example.com/o/1k/b'];
      const list = scene.list(urls.join('\r\n'));
      const flags = [
        '--pops',
        'SIN2-P1',
        '--header',
        'Accept-Encoding: br',
        ...dnsFlags(scene, edge),
        '--out',
        scene.at('report.csv'),
        '--json',
      ];
      const first = await scene.run(['run', list, ...flags]);
      expect({ code: first.code, stderr: first.stderr, ...lastProgress(first.stdout) }).toMatchObject({
        code: 0,
        stderr: '',
        warmed_count: 3,
      });
      expect(edge.dnsQuestions.get('d111111abcdef8.sin2-p1.cloudfront.net')).toBeGreaterThan(0);
      // The same objects under another key are others: by header and by host they were each fetched.
      expect(edge.counters().origin.total.fetches).toBe(3);
      const again = await scene.run(['run', list, ...flags]);
      expect(lastProgress(again.stdout)).toMatchObject({ already_warm_count: 3, warmed_count: 0, verified_count: 3 });
      for (const row of scene.report('report.csv'))
        expect(row).toMatchObject({ outcome: 'already_warm', attempts: '2', notes: 'verified' });
      const other = await scene.run(['run', list, ...flags.map((flag) => flag.replace(': br', ': gzip'))]);
      expect(lastProgress(other.stdout)).toMatchObject({ already_warm_count: 0, warmed_count: 3 });
    },
  );
});

describe.concurrent('an invalidation', () => {
  test('an invalidation is over before the first download, so that cached objects are fetched anew', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge({ invalidationDelayMs: 300, cachePolicy: { keyByQuery: true } });
    const list = scene.list([urlOf(edge, '/o/1k/a'), urlOf(edge, '/o/90k/b?v=1')]);
    const flags = ['--pops', popsOf(edge).join(','), ...mapFlags(scene, edge), '--json'];
    await scene.run(['run', list, ...flags]);
    const warm = await scene.run(['run', list, ...flags]);
    expect(lastProgress(warm.stdout)).toMatchObject({ already_warm_count: 4 });
    const { code, stdout, stderr } = await scene.run([
      'run',
      list,
      ...flags,
      '--invalidate',
      '--invalidation-endpoint',
      edge.invalidationEndpoint,
    ]);
    expect({ code, stderr, ...lastProgress(stdout) }).toMatchObject({ code: 0, stderr: '', warmed_count: 4, already_warm_count: 0 });
    expect(progressOf(stdout).some(({ status }) => status === 'INVALIDATING')).toBe(true);
    expect(edge.invalidations.count).toBe(1);
    expect(edge.counters().origin.total.fetches).toBe(4);
  });

  test('a failed invalidation ends the run as FAILED with the reason, and nothing is downloaded', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge();
    const server = createServer((_, res) => res.writeHead(403).end('not for you')).listen(0, '127.0.0.1');
    context.onTestFinished(() => void server.close());
    await once(server, 'listening');
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const args = ['run', '--url', urlOf(edge, '/o/1k/a'), '--pops', 'SIN2-P1', ...mapFlags(scene, edge), '--invalidate'];
    const [failed, people] = await Promise.all([
      scene.run([...args, '--invalidation-endpoint', endpoint, '--json', '--out', scene.at('report.csv')]),
      scene.run([...args, '--invalidation-endpoint', endpoint]),
    ]);
    expect({ code: failed.code, stderr: failed.stderr }).toEqual({ code: 1, stderr: '' });
    expect(lastProgress(failed.stdout)).toMatchObject({
      status: 'FAILED',
      status_reason: expect.stringMatching(/the invalidation failed: .*status 403: not for you/),
      total_count: 1,
      failed_count: 1,
      percentage_complete: 0,
    });
    expect(scene.report('report.csv')).toMatchObject([{ outcome: 'failed', reason: 'stopped' }]);
    expect(people).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/Nothing could be warmed: the invalidation failed: .*status 403/),
    });
    expect(edge.counters().edge).toMatchObject({ gets: 0, heads: 0 });
  });

  test('an invalidation that this machine may not ask for is refused before anything is sent', async (context) => {
    const scene = openScene(context);
    const edge = await scene.edge();
    const args = ['run', '--url', urlOf(edge, '/o/1k/a'), '--pops', 'SIN2-P1', ...mapFlags(scene, edge), '--invalidate'];
    const { code, stdout, stderr } = await scene.run(args, { env: { ...NO_CREDENTIALS, HOME: scene.at('tmp') } });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(
      /--invalidate: needs AWS credentials, and this machine has none; .* or name a simulated edge by --invalidation-endpoint/,
    );
    expect(edge.counters().edge).toMatchObject({ gets: 0, heads: 0 });
  });
});

test('people get plain lines while it runs, then a table per POP, the failures, and how it ended', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1', addresses: 2, separateCaches: true }, { pop: 'FRA56-P4' }] });
  edge.setFault({ pop: 'FRA56-P4', path: '/o/1k/b' }, { kind: 'status', status: 404 });
  const urls = ['/o/1k/a', '/o/1k/b', '/o/1k/c'].map((path) => urlOf(edge, path));
  const args = ['run', scene.list(urls), '--pops', popsOf(edge).join(','), ...mapFlags(scene, edge)];
  const { code, stdout, stderr } = await scene.run(args);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^POP +City +Targets +Warmed +Already +Failed +Verified/);
  expect(stdout).toMatch(/^SIN2-P1 +Singapore +3 +3 +0 +0 +3 +3\.1 kB/m);
  expect(stdout).toMatch(/^FRA56-P4 +Frankfurt am Main +3 +2 +0 +1 +2/m);
  expect(stdout).toContain(`\nstatus_404: 1 URL at FRA56-P4: ${urlOf(edge, '/o/1k/b')}\n`);
  expect(stdout).toMatch(/Addresses that are caches of their own, each of which was warmed: SIN2-P1\./);
  expect(stdout).toMatch(/\n5 of 6 targets warm and verified, 1 failed, in .*\.\n$/);
  expect(stderr).toMatch(/^FINISHED: 100%, 6\/6 targets, 5 warmed, 0 already warm, 1 failed/m);
});
