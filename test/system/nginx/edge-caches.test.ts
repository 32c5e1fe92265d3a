import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EdgeCaches, nginxAvailable, startEdgeCaches } from '../../../testing/nginx/edge-caches.ts';

const run = promisify(execFile);
const MIB = 1 << 20;

describe.skipIf(!nginxAvailable())('nginx caches that stand in for POPs (skipped where nginx is missing)', () => {
  let edge: EdgeCaches;
  const pinned = (ip: string) => ['--connect-to', `::${ip}:${edge.edgePort}`, '--cacert', edge.caFile];
  const curl = async (ip: string, path: string, ...more: string[]) => {
    const { stdout } = await run('curl', ['-sS', '-D', '-', '-o', '/dev/null', ...pinned(ip), ...more, `https://${edge.host}${path}`]);
    const lines = stdout.toLowerCase().split('\r\n');
    const header = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
    return { status: Number(lines[0]?.split(' ')[1]), xCache: header('x-cache').split(' ')[0], header };
  };
  /** HEAD tells without storing; a fill ends a moment after the delivery that caused it. */
  const stored = async (ip: string, path: string) => {
    for (let tries = 0; tries < 10; tries++) {
      if ((await curl(ip, path, '-I')).xCache === 'hit') return true;
      await sleep(50);
    }
    return false;
  };

  beforeAll(async () => {
    const sizes = { whole: 1024, head: 1024, range: 100_000, abort: 64 * MIB, shared: 1024, 'b,c': 1024 };
    edge = await startEdgeCaches({
      pops: [
        { pop: 'SIN2-P1', addresses: 2, separate: false },
        { pop: 'FRA56-P4', addresses: 2, separate: true },
      ],
      objects: Object.entries(sizes).map(([path, bytes]) => ({ path, bytes })),
    });
  });
  afterAll(() => edge.close());

  test('a whole GET is a Miss, is stored, and is a Hit afterwards, by POP and by address where they are separate', async () => {
    const first = await curl('127.0.1.1', '/whole?v=1,2');
    expect([first.status, first.xCache, first.header('x-amz-cf-pop'), first.header('content-length')]).toEqual([
      200,
      'miss',
      'sin2-p1',
      '1024',
    ]);
    expect(first.header('etag')).not.toBe('');
    expect(await stored('127.0.1.1', '/whole?v=1,2')).toBe(true);
    expect((await curl('127.0.1.2', '/whole?v=1,2')).xCache).toBe('hit');
    expect((await curl('127.0.1.2', '/whole?v=2')).xCache).toBe('miss');
    expect((await curl('127.0.1.3', '/whole?v=1,2')).xCache).toBe('miss');
    expect((await curl('127.0.1.4', '/whole?v=1,2')).xCache).toBe('miss');
  });

  test('a HEAD stores nothing', async () => {
    expect(await curl('127.0.1.1', '/head', '-I')).toMatchObject({ status: 200, xCache: 'miss' });
    expect(await stored('127.0.1.1', '/head')).toBe(false);
  });

  test('a Range of an object that is not stored is passed on and stores nothing; of a stored one it is a Hit', async () => {
    const range = ['-r', '500-500'];
    const passed = await curl('127.0.1.1', '/range', ...range);
    expect([passed.status, passed.xCache, passed.header('content-range')]).toEqual([206, 'miss', 'bytes 500-500/100000']);
    expect(await stored('127.0.1.1', '/range')).toBe(false);
    await curl('127.0.1.1', '/range');
    expect(await stored('127.0.1.1', '/range')).toBe(true);
    const hit = await curl('127.0.1.1', '/range', ...range);
    expect([hit.status, hit.xCache, hit.header('content-range')]).toEqual([206, 'hit', 'bytes 500-500/100000']);
    const atOrigin = (await edge.readLogs()).origin.filter((asked) => asked.uri === '/range' && asked.method === 'GET');
    expect(atOrigin[0]).toMatchObject({ range: 'bytes=500-500', bodyBytes: 1, status: 206 });
  });

  test('a download that is aborted stores nothing, and the log says it was not delivered', async () => {
    const curl = spawn('curl', ['-sS', ...pinned('127.0.1.1'), '--limit-rate', '1M', `https://${edge.host}/abort`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(curl.stdout, 'data');
    curl.kill('SIGKILL');
    await once(curl, 'close');
    expect(await stored('127.0.1.1', '/abort')).toBe(false);
    const logged = (await edge.readLogs()).edge.filter((asked) => asked.uri === '/abort' && asked.method === 'GET');
    expect(logged).toMatchObject([{ cache: 'SIN2-P1', complete: false, status: 200 }]);
    expect(logged[0]?.bodyBytes).toBeLessThan(64 * MIB);
  });

  test('one connection carries many requests, and each is logged once, as it was delivered', async () => {
    const urls = ['a', 'b', 'c'].flatMap((v) => ['--url', `https://${edge.host}/b,c?${v}`, '-o', '/dev/null']);
    const { stdout } = await run('curl', ['-sS', ...pinned('127.0.1.3'), '-w', '%{num_connects}', ...urls]);
    expect(stdout).toBe('100');
    // A line is written a moment after the delivery that it tells of.
    const readLogged = async () => (await edge.readLogs()).edge.filter((asked) => asked.uri.startsWith('/b,c'));
    const same = {
      cache: 'FRA56-P4/127.0.1.3',
      address: '127.0.1.3',
      method: 'GET',
      range: '',
      status: 200,
      bodyBytes: 1024,
      complete: true,
    };
    const expected = ['a', 'b', 'c'].map((v) => ({ ...same, uri: `/b,c?${v}`, cacheStatus: 'MISS' }));
    await expect.poll(readLogged).toMatchObject(expected);
  });

  test('the independent client sees every address, and leaves no trace in the logs', async () => {
    await edge.state(`https://${edge.host}/shared`);
    for (const ip of ['127.0.1.1', '127.0.1.3', '127.0.1.4']) expect(await stored(ip, '/shared')).toBe(true);
    const states = await edge.state(`https://${edge.host}/shared`);
    expect(states.map(({ pop, address, xCache, bytes }) => [pop, address, xCache, bytes])).toEqual([
      ['SIN2-P1', '127.0.1.1', 'Hit from cloudfront', 1024],
      ['SIN2-P1', '127.0.1.2', 'Hit from cloudfront', 1024],
      ['FRA56-P4', '127.0.1.3', 'Hit from cloudfront', 1024],
      ['FRA56-P4', '127.0.1.4', 'Hit from cloudfront', 1024],
    ]);
    expect((await edge.readLogs()).edge.filter((asked) => asked.uri === '/shared' && asked.method === 'GET')).toEqual([]);
  });
});
