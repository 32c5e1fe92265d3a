import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EDGE_HOST, type EdgeCaches, nginxAvailable, startEdgeCaches } from '../../../testing/nginx/edge-caches.ts';
import { judgeWarmth } from '../../../testing/nginx/judge-warmth.ts';

const SIZES = [1024, 100 * 1024, 3 << 20];

describe.skipIf(!nginxAvailable())('the judge of warmth (skipped where nginx is missing)', () => {
  let edge: EdgeCaches;
  const wanted = (round: string) => SIZES.map((bytes) => ({ url: `https://${EDGE_HOST}/${bytes}?${round}`, bytes }));
  const warm = async (ip: string, url: string, ...more: string[]) => {
    const pinned = ['--connect-to', `::${ip}:${edge.edgePort}`, '--cacert', edge.caFile];
    const curl = spawn('curl', ['-sS', ...pinned, ...more, '-o', '-', url], { stdio: ['ignore', 'pipe', 'ignore'] });
    if (!more.includes('abort')) curl.stdout.resume();
    else curl.stdout.once('data', () => curl.kill('SIGKILL'));
    await once(curl, 'close');
  };

  beforeAll(async () => {
    const objects = SIZES.map((bytes) => ({ path: String(bytes), bytes }));
    edge = await startEdgeCaches({ pops: [{ pop: 'SIN2-P1', addresses: 2, separate: true }], objects });
  });
  afterAll(() => edge.close());

  test('it finds nothing after a whole GET of each object through each cache', async () => {
    for (const { url } of wanted('whole')) for (const ip of ['127.0.1.1', '127.0.1.2']) await warm(ip, url);
    expect(await judgeWarmth(edge, wanted('whole'))).toEqual([]);
  });

  test('it names the cache that was left out', async () => {
    for (const { url } of wanted('one')) await warm('127.0.1.1', url);
    const faults = await judgeWarmth(edge, wanted('one'));
    expect(faults).toHaveLength(2 * SIZES.length);
    for (const fault of faults) expect(fault).toContain('127.0.1.2');
  });

  test('it rejects what only sends HEAD, only asks for ranges, or goes away at the first byte', async () => {
    for (const { url } of wanted('head')) await warm('127.0.1.1', url, '-I');
    expect(await judgeWarmth(edge, wanted('head'))).toHaveLength(4 * SIZES.length);
    for (const { url } of wanted('range')) await warm('127.0.1.1', url, '-r', '0-');
    expect(await judgeWarmth(edge, wanted('range'))).toHaveLength(4 * SIZES.length);
    for (const { url } of wanted('abort')) await warm('127.0.1.1', url, '--limit-rate', '100k', '-A', 'abort');
    expect((await judgeWarmth(edge, wanted('abort'))).join('\n')).toContain(
      `SIN2-P1/127.0.1.1 https://${EDGE_HOST}/${3 << 20}?abort: no whole GET`,
    );
  });
});
