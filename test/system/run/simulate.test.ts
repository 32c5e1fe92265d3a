import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../../testing/free-port.ts';
import type { EdgeAccess } from '../../../cli/print/simulate-text.ts';
import type { PrewarmProcess } from '../../../testing/prewarm-process.ts';
import { lastProgress, openScene, type Scene } from '../../../testing/scene.ts';
import { until } from '../../../testing/until.ts';

const HOST = 'www.example.com';
const POPS = 'SIN2-P1,FRA56-P4';

/** Starts `prewarm simulate --json`, and reads its one line. */
async function simulate(scene: Scene, args: readonly string[] = []): Promise<{ process: PrewarmProcess; told: EdgeAccess }> {
  const process = scene.start(['simulate', ...args, '--json']);
  await until('the edge tells how it is reached', () => process.stdout().endsWith('\n'));
  return { process, told: JSON.parse(process.stdout()) as EdgeAccess };
}

const urlsOf = (...paths: readonly string[]) => paths.flatMap((path) => ['--url', path.startsWith('/') ? `https://${HOST}${path}` : path]);

const edgeAddresses = ({ edge_map }: EdgeAccess) => JSON.parse(readFileSync(edge_map, 'utf8')) as Record<string, readonly string[]>;

/** What one address says of an object, asked without the program's help. */
async function xCacheAt(told: EdgeAccess, address: string, path: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const [host = '', port] = address.split(':');
  const ca = readFileSync(told.ca_file, 'utf8');
  const asked = request({ host, port: Number(port), path, ca, servername: HOST, headers: { host: HOST, ...more }, agent: false }).end();
  const [answer] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return String(answer.headers['x-cache']);
}

async function isRefused(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}

test.for([
  { way: 'by DNS', args: [], dns: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as unknown },
  { way: 'by an edge map', args: ['--one-ip'], dns: null },
])('a run with the options that the edge prints is verified, over https and http ($way)', async ({ args, dns }, context) => {
  const scene = openScene(context);
  const { told } = await simulate(scene, args);
  expect(told).toMatchObject({ dns_server: dns, domain: 'd111111abcdef8.cloudfront.net', pops: POPS.split(','), faults: [] });
  expect(told.invalidation_options).toEqual(['--invalidation-endpoint', told.invalidation_endpoint]);
  const urls = urlsOf('/o/64k/demo', '/any/page.html', `http://${HOST}/o/1k/plain`);
  const ended = await scene.run(['run', ...urls, '--pops', POPS, ...told.options, '--json', '--out', scene.at('report.csv')]);
  expect(ended).toMatchObject({ code: 0 });
  expect(lastProgress(ended.stdout)).toMatchObject({
    status: 'FINISHED',
    total_count: 6,
    warmed_count: 6,
    verified_count: 6,
    failed_count: 0,
  });
  const sizes = scene
    .report('report.csv')
    .filter(({ url }) => url?.includes('/o/'))
    .map(({ bytes }) => bytes);
  expect(sizes.map(Number).sort((a, b) => a - b)).toEqual([1024, 1024, 65_536, 65_536]);
});

test('people read how the edge is reached, and every command takes what they read', async (context) => {
  const scene = openScene(context);
  const edge = scene.start(['simulate', '--pops', 'SIN2-P1', '--host', 'www.mysite.com,static.mysite.com', '--fault', 'latency=1']);
  await until('the edge tells how it is reached', () => edge.stdout().includes('prewarm keep-warm'));
  const lines = edge.stdout().split('\n');
  expect(lines[0]).toBe(
    'Simulated edge: 1 POP with 1 address, for d111111abcdef8.cloudfront.net, www.mysite.com, static.mysite.com. It stands until Ctrl-C.',
  );
  expect(edge.stdout()).toContain('\nFaults:\n  latency=1\n');
  const below = (head: string) => (lines[lines.findIndex((line) => line.startsWith(head)) + 1] ?? '').trim().split(' ');
  const options = below('Options of run, serve');
  const invalidation = below('For run with --invalidate');
  const url = 'https://static.mysite.com/app.js';
  const run = await scene.run(['run', '--url', url, '--pops', 'SIN2-P1', ...options, ...invalidation, '--invalidate']);
  expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining('1 of 1 target warm and verified') as unknown });
  const timed = await scene.run(['timing', url, '--pops', 'SIN2-P1', '--count', '1', ...options]);
  expect(timed).toMatchObject({ code: 0, stdout: expect.stringContaining('pop: SIN2-P1') as unknown });
  const route = ['--host', 'www.mysite.com', '--path', '/time', '--pops', 'SIN2-P1', '--per-minute', '600'];
  const kept = scene.start(['keep-warm', ...route, ...options, '--json']);
  await until('keep-warm has figures', () => kept.stdout().includes('\n'));
  kept.signal('SIGINT');
  expect((await kept.ended).stdout).toMatch(/"SIN2-P1"/);
  const server = scene.start(['serve', '--port', '0', '--json', ...options, ...invalidation], { env: { PREWARM_API_KEY: 'key' } });
  await until('the server is up', () => server.stdout().includes('\n'));
  const { url: endpoint } = JSON.parse(server.stdout()) as { url: string };
  const submit = ['submit', '--url', url, '--pops', 'SIN2-P1', '--endpoint', endpoint, '--invalidate', '--wait'];
  expect(await scene.run(submit, { env: { PREWARM_API_KEY: 'key' } })).toMatchObject({ code: 0 });
}, 90_000);

test('each address is a cache of its own where that is asked for, and all of them are warmed', async (context) => {
  const scene = openScene(context);
  const { told } = await simulate(scene, ['--pops', POPS, '--addresses', '2', '--separate-caches']);
  const addresses = Object.values(edgeAddresses(told));
  expect(addresses.map(({ length }) => length)).toEqual([2, 2]);
  expect(await scene.run(['run', ...urlsOf('/o/9k/a'), '--pops', POPS, ...told.options])).toMatchObject({ code: 0 });
  for (const address of addresses.flat()) expect(await xCacheAt(told, address, '/o/9k/a')).toBe('Hit from cloudfront');
  const [first = ''] = addresses.flat();
  const second = addresses.flat().at(1) ?? '';
  expect(await xCacheAt(told, first, '/o/9k/b')).toBe('Miss from cloudfront');
  expect(await xCacheAt(told, second, '/o/9k/b')).toBe('Miss from cloudfront');
});

const FAULTS = [
  { fault: 'status=503', reason: 'status_503' },
  { fault: 'no-x-cache', reason: 'no_cache_header' },
  { fault: 'x-cache=Error from cloudfront', reason: 'error_page' },
  { fault: 'wrong-pop=NRT57-P3', reason: 'wrong_pop' },
  { fault: 'generated=lambda', reason: 'generated' },
  { fault: 'challenge', reason: 'challenged' },
  { fault: 'never-hit', reason: 'not_cached' },
  { fault: 'never-store', reason: 'not_cached' },
  { fault: 'truncate=100', reason: 'truncated' },
  { fault: 'reset', reason: 'connection' },
  { fault: 'stall', reason: 'timeout' },
];

test('a run reports every fault that the edge was given, for its path and POP alone', async (context) => {
  const scene = openScene(context);
  const given = FAULTS.flatMap(({ fault }, index) => ['--fault', `${fault}@SIN2-P1/o/9k/${index}*`]);
  const { told } = await simulate(scene, [...given, '--fault', 'latency=5', '--dynamic', '/now']);
  expect(told.faults).toHaveLength(FAULTS.length + 1);
  const urls = urlsOf(...FAULTS.map((_, index) => `/o/9k/${index}-x`), '/now');
  const more = ['--pops', POPS, '--first-byte-timeout', '1', '--out', scene.at('report.csv')];
  expect((await scene.run(['run', ...urls, ...more, ...told.options])).code).toBe(1);
  const rows = scene.report('report.csv');
  const reasonOf = (path: string, pop: string) =>
    rows.find((row) => row['url'] === `https://${HOST}${path}` && row['pop'] === pop)?.['reason'];
  expect(FAULTS.map((_, index) => reasonOf(`/o/9k/${index}-x`, 'SIN2-P1'))).toEqual(FAULTS.map(({ reason }) => reason));
  expect(FAULTS.map((_, index) => reasonOf(`/o/9k/${index}-x`, 'FRA56-P4'))).toEqual(FAULTS.map(() => ''));
  expect(['SIN2-P1', 'FRA56-P4'].map((pop) => reasonOf('/now', pop))).toEqual(['not_cached', 'not_cached']);
}, 120_000);

test.for([
  { fault: 'dead', reason: 'connection' },
  { fault: 'wrong-certificate', reason: 'tls' },
])('a run reports $fault of one POP, and warms the other', { timeout: 60_000 }, async ({ fault, reason }, context) => {
  const scene = openScene(context);
  const { told } = await simulate(scene, ['--fault', `${fault}@fra56-p4`]);
  const ended = await scene.run(['run', ...urlsOf('/a'), '--pops', POPS, ...told.options, '--out', scene.at('report.csv')]);
  expect(ended.code).toBe(1);
  expect(Object.fromEntries(scene.report('report.csv').map((row) => [row['pop'], row['reason']]))).toEqual({
    'FRA56-P4': reason,
    'SIN2-P1': '',
  });
});

test('the cache key is what the options say', async (context) => {
  const scene = openScene(context);
  const { told } = await simulate(scene, ['--pops', 'SIN2-P1', '--ignore-query', '--key-encoding', '--key-header', 'X-Tier']);
  const [address = ''] = Object.values(edgeAddresses(told)).flat();
  const ask = async (path: string, headers: Readonly<Record<string, string>> = {}) =>
    (await xCacheAt(told, address, path, headers)).replace(' from cloudfront', '');
  expect(await ask('/a?v=1')).toBe('Miss');
  expect(await ask('/a?v=2')).toBe('Hit');
  expect(await ask('/a', { 'accept-encoding': 'br' })).toBe('Miss');
  expect(await ask('/a', { 'x-tier': 'gold' })).toBe('Miss');
  expect(await ask('/a', { 'x-tier': 'gold' })).toBe('Hit');
  const { told: plain } = await simulate(scene, ['--pops', 'SIN2-P1']);
  const [other = ''] = Object.values(edgeAddresses(plain)).flat();
  expect([await xCacheAt(plain, other, '/a?v=1'), await xCacheAt(plain, other, '/a?v=2')]).toEqual(Array(2).fill('Miss from cloudfront'));
  expect(await xCacheAt(plain, other, '/a?v=1', { 'accept-encoding': 'br' })).toBe('Hit from cloudfront');
});

test('delays are added at each tier that is asked, and objects become stale when their time is over', async (context) => {
  const scene = openScene(context);
  const delays = ['--edge-delay', '40', '--regional-delay', '80', '--origin-delay', '160'];
  const { told } = await simulate(scene, ['--pops', 'SIN2-P1', '--ttl', '1', ...delays]);
  const [address = ''] = Object.values(edgeAddresses(told)).flat();
  const timed = async () => {
    const start = performance.now();
    const xCache = await xCacheAt(told, address, '/o/1k/a');
    return { xCache, ms: performance.now() - start };
  };
  const cold = await timed();
  expect(cold.xCache).toBe('Miss from cloudfront');
  expect(cold.ms).toBeGreaterThan(279);
  const warm = await timed();
  expect(warm.xCache).toBe('Hit from cloudfront');
  expect(warm.ms).toBeGreaterThan(39);
  await new Promise((resolve) => {
    setTimeout(resolve, 1100);
  });
  expect((await timed()).xCache).toBe('RefreshHit from cloudfront');
});

test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s ends the edge with 0, and no port, file or process is left',
  async (signal, context) => {
    const scene = openScene(context);
    const { process, told } = await simulate(scene);
    expect(existsSync(told.ca_file)).toBe(true);
    const endpoint = new URL(told.invalidation_endpoint).host;
    const places = [...Object.values(edgeAddresses(told)).flat(), endpoint, told.dns_server ?? ''];
    expect(await Promise.all(places.map(isRefused))).toEqual(places.map(() => false));
    process.signal(signal);
    expect(await process.ended).toMatchObject({ code: 0, stderr: '' });
    expect(await Promise.all(places.map(isRefused))).toEqual(places.map(() => true));
    expect(process.tree()).toEqual([]);
    expect(scene.temporaries()).toEqual([]);
  },
);

test('the edge listens at the ports that are named', async (context) => {
  const scene = openScene(context);
  const [https, http, dns, invalidation] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const ports = ['--edge-port', https, '--edge-http-port', http, '--dns-port', dns, '--invalidation-port', invalidation].map(String);
  const { told } = await simulate(scene, ports);
  expect(told).toMatchObject({ dns_server: `127.0.0.1:${dns}`, invalidation_endpoint: `http://127.0.0.1:${invalidation}` });
  expect(told.options.join(' ')).toContain(`--edge-port ${https} --edge-http-port ${http}`);
});

test.for(['--edge-port', '--edge-http-port', '--invalidation-port', '--dns-port'])(
  'the edge reports a port in use with %s, and leaves nothing behind',
  async (flag, context) => {
    const scene = openScene(context);
    const taken = createServer();
    // Every address of loopback, since the edge has some of its own.
    taken.listen(0, '0.0.0.0');
    await once(taken, 'listening');
    context.onTestFinished(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const ended = await scene.run(['simulate', flag, String(port)]);
    expect(ended).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: expect.stringContaining(
        `  ${flag}: "${port}": port ${port} is in use; name another one, or leave the option out for any that is free\n`,
      ) as unknown,
    });
    expect(scene.temporaries()).toEqual([]);
  },
);

test('the edge reports a port that is in use over UDP only, also among consecutive ports', async (context) => {
  const scene = openScene(context);
  const udp = createSocket('udp4');
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  context.onTestFinished(() => void udp.close());
  const { port } = udp.address();
  expect(await scene.run(['simulate', '--dns-port', String(port)])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`--dns-port: "${port}": port ${port} is in use`) as unknown,
  });
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  context.onTestFinished(() => void taken.close());
  const second = (taken.address() as { port: number }).port;
  expect(await scene.run(['simulate', '--one-ip', '--edge-port', String(second - 1)])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`--edge-port: "${second - 1}": port ${second} is in use`) as unknown,
  });
});

test('the edge reports every wrong option with its value and the remedy', async (context) => {
  const scene = openScene(context);
  const wrong: readonly (readonly [string, string, string])[] = [
    ['--pops', 'Singapore', 'is a place, and POPs are simulated by name; write some of it, such as SIN'],
    ['--addresses', '0', 'write a whole number from 1 to 16'],
    ['--host', 'a/b', 'is no host name; write one such as www.example.com'],
    ['--ttl', '-1', 'write a whole number from 0'],
    ['--dynamic', 'now', 'write a path that begins with /'],
    ['--key-header', 'X Y', 'write the name of a request header'],
    ['--edge-delay', '1s', 'write a whole number from 0'],
    ['--edge-port', '65536', 'write a whole number from 1 to 65535'],
    ['--fault', 'constructor', 'is no kind of fault; write one of status=503, '],
    ['--fault', 'status=99', 'has a value that status does not take; write status=503'],
    ['--fault', 'reset=1', 'has a value that reset does not take; write reset'],
    ['--fault', 'stall=tail', 'has a value that stall does not take; write stall[=headers|body]'],
    ['--fault', 'reset@', 'ends with @; write a POP, a /PATH or both after it'],
    ['--fault', 'dead@/a', 'meets connections, so it takes no path'],
  ];
  const ended = await scene.run(['simulate', ...wrong.flatMap(([flag, value]) => [`${flag}=${value}`])]);
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  for (const [flag, value, remedy] of wrong) expect(ended.stderr).toContain(`  ${flag}: "${value}": ${remedy}`);
  expect(scene.temporaries()).toEqual([]);
});

test('the edge refuses options that are right by themselves and do not fit together', async (context) => {
  const scene = openScene(context);
  const refused = async (...args: readonly string[]) => {
    const { code, stderr } = await scene.run(['simulate', ...args]);
    return `${code} ${stderr.split('\n')[1]?.trim()}`;
  };
  expect(await refused('--fault', 'dead@NRT57-P3')).toBe(
    '2 --fault: "dead@NRT57-P3": meets a POP that is not simulated (SIN2-P1, FRA56-P4); name it in --pops too, or write @/PATH',
  );
  expect(await refused('--host', 'd1.cloudfront.net,d2.cloudfront.net')).toBe(
    '2 --host: "d1.cloudfront.net,d2.cloudfront.net": names two distributions; simulate each by a command of its own',
  );
  expect(await refused('--one-ip', '--edge-port', '65535')).toBe(
    '2 --edge-port: "65535": leaves too few ports for 2 addresses, one for each; write at most 65534',
  );
});
