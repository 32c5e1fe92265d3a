import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { objectBytes } from '../../simulator/object-bytes.ts';
import { askEdge, xCacheOf } from './edge-client.ts';
import { useEdges } from './edge-fixture.ts';
import { until } from '../../testing/until.ts';

const startEdge = useEdges();
const BIG = '/o/20m/big';

describe('what a POP stores', () => {
  it('a POP stores nothing on HEAD, and the object after a whole GET', async () => {
    const edge = await startEdge();
    const path = '/o/1000/a';
    for (let i = 0; i < 2; i++) {
      const head = await askEdge(edge, { path, method: 'HEAD' });
      expect(head).toMatchObject({ status: 200, xCache: 'Miss', headers: { 'content-length': '1000' } });
      expect(head.body.length).toBe(0);
    }
    expect(await xCacheOf(edge, path)).toBe('Miss');
    const hit = await askEdge(edge, { path });
    expect(hit.xCache).toBe('Hit');
    expect(hit.body.equals(objectBytes(0, 1000))).toBe(true);
    expect(Number(hit.headers['age'])).toBeGreaterThanOrEqual(0);
    expect(await xCacheOf(edge, path, { method: 'HEAD' })).toBe('Hit');
    expect(edge.counters().origin.total).toMatchObject({ fetches: 1, heads: 2 });
  });

  it('a POP and its regional cache store nothing of a download that the client breaks off', async () => {
    const edge = await startEdge();
    expect((await askEdge(edge, { path: BIG, abortAfter: 1 })).error).toBe('aborted');
    const second = await askEdge(edge, { path: BIG });
    expect(second.xCache).toBe('Miss');
    expect(second.body.length).toBe(20 * 1024 ** 2);
    expect(await xCacheOf(edge, BIG)).toBe('Hit');
    expect(edge.counters().edge.delivered).toBe(2);
    expect(edge.counters().origin.total.fetches).toBe(2);
  });

  it('a POP stores nothing of a body that was sent but never read', async () => {
    const edge = await startEdge();
    const path = '/o/100k/unread';
    const [, port = ''] = (edge.httpEdgeMap['SIN2-P1']?.[0] ?? '').split(':');
    const socket = connect({ host: '127.0.0.1', port: Number(port) }).pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${edge.host}\r\n\r\n`);
    await until('one body is delivered', () => edge.counters().edge.delivered === 1);
    socket.destroy();
    await until('nothing is delivered any more', () => edge.counters().edge.delivered === 0);
    expect(await xCacheOf(edge, path)).toBe('Miss');
  });

  it('a POP stores only the range that was asked for', async () => {
    const edge = await startEdge();
    const path = '/o/1000/r';
    const range = (bytes: string) => askEdge(edge, { path, headers: { range: `bytes=${bytes}` } });
    const first = await range('10-19');
    expect(first).toMatchObject({ status: 206, xCache: 'Miss', headers: { 'content-range': 'bytes 10-19/1000', 'content-length': '10' } });
    expect(first.body.equals(objectBytes(10, 20))).toBe(true);
    expect((await range('12-15')).xCache).toBe('Hit');
    expect((await range('15-25')).xCache).toBe('Miss');
    expect(await xCacheOf(edge, path)).toBe('Miss');
    expect((await range('-1')).xCache).toBe('Hit');
    expect(await range('1000-')).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */1000' } });
    expect(edge.counters().origin.total).toMatchObject({ ranges: 2, fetches: 1 });
  });

  it('a POP stores the whole object when a chunked origin answers a range', async () => {
    const edge = await startEdge({ objects: () => ({ size: 5000, chunked: true }) });
    const answer = await askEdge(edge, { path: '/c', headers: { range: 'bytes=0-0' } });
    expect(answer).toMatchObject({ status: 200, xCache: 'Miss' });
    expect(answer.headers['content-length']).toBeUndefined();
    expect(answer.body.length).toBe(5000);
    expect(await xCacheOf(edge, '/c')).toBe('Hit');
  });

  it('a POP stores objects by Cache-Control and the policy', async () => {
    let now = 1_000_000;
    const directives: Record<string, string> = {
      '/no-store': 'no-store',
      '/no-cache': 'no-cache',
      '/private': 'private, max-age=100',
      '/max-age': 'max-age=10',
      '/s-maxage': 'max-age=10, s-maxage=100',
      '/always-stale': 'max-age=0',
      '/nothing': '',
    };
    const objects = (path: string) => ({ size: 10, etag: '', cacheControl: directives[path] ?? '' });
    const asks = async (minTtlMs: number, afterMs: number) => {
      const edge = await startEdge({ objects, now: () => now, cachePolicy: { defaultTtlMs: 50_000, minTtlMs } });
      const seen: Record<string, string> = {};
      for (const path of Object.keys(directives)) await xCacheOf(edge, path);
      now += afterMs;
      for (const path of Object.keys(directives)) seen[path.slice(1)] = await xCacheOf(edge, path);
      return seen;
    };
    const none = { 'no-store': 'Miss', 'no-cache': 'Miss', private: 'Miss', 'always-stale': 'Miss' };
    expect(await asks(0, 5_000)).toEqual({ ...none, 'max-age': 'Hit', 's-maxage': 'Hit', nothing: 'Hit' });
    expect(await asks(0, 20_000)).toEqual({ ...none, 'max-age': 'Miss', 's-maxage': 'Hit', nothing: 'Hit' });
    expect(await asks(0, 60_000)).toEqual({ ...none, 'max-age': 'Miss', 's-maxage': 'Hit', nothing: 'Miss' });
    expect(Object.values(await asks(30_000, 20_000))).toEqual(Array(7).fill('Hit'));
  });

  it('a POP revalidates an expired object by ETag, and fetches a changed one again', async () => {
    let now = 0;
    let etag = '"one"';
    const edge = await startEdge({ now: () => now, objects: () => ({ size: 10, cacheControl: 'max-age=10', etag }) });
    await xCacheOf(edge, '/e');
    now += 11_000;
    expect(await xCacheOf(edge, '/e')).toBe('RefreshHit');
    expect(await xCacheOf(edge, '/e')).toBe('Hit');
    expect(edge.counters().origin.total).toMatchObject({ fetches: 1, revalidations: 1 });
    now += 11_000;
    etag = '"two"';
    const changed = await askEdge(edge, { path: '/e' });
    expect(changed).toMatchObject({ xCache: 'Miss', headers: { etag: '"two"' } });
    expect(edge.counters().origin.total).toMatchObject({ fetches: 2, revalidations: 1 });
  });

  it('a POP stores no error, unless the policy stores errors', async () => {
    const without = await startEdge();
    for (let i = 0; i < 2; i++) expect(await askEdge(without, { path: '/gone' })).toMatchObject({ status: 404, xCache: 'Error' });
    expect(without.counters().origin.total.fetches).toBe(2);
    const brief = await startEdge({ cachePolicy: { errorTtlMs: 10_000 } });
    for (let i = 0; i < 2; i++) expect(await askEdge(brief, { path: '/gone' })).toMatchObject({ status: 404, xCache: 'Error' });
    expect(brief.counters().origin.total.fetches).toBe(1);
  });
});

describe('where a POP gets it from', () => {
  it('simultaneous misses cause one fetch at every tier', async () => {
    const pops = [{ pop: 'SIN2-P1', addresses: 2 }, { pop: 'SIN52-C2' }];
    const edge = await startEdge({ pops, latencies: { originMs: 1_000 } });
    const asks = Array.from({ length: 12 }, (_, i) =>
      xCacheOf(edge, '/o/1000/same', { pop: i % 3 ? 'SIN2-P1' : 'SIN52-C2', index: i % 3 === 2 ? 1 : 0 }),
    );
    expect(new Set(await Promise.all(asks))).toEqual(new Set(['Miss']));
    const { origin, regional } = edge.counters();
    expect(origin.total.fetches).toBe(1);
    expect(regional[0]?.total.gets).toBe(2);
  });

  it('simultaneous misses cause a fetch each where the answer may not be stored', async () => {
    const objects = () => ({ size: 10, cacheControl: 'no-store' });
    const edge = await startEdge({ objects, latencies: { originMs: 50 } });
    await Promise.all(Array.from({ length: 5 }, () => xCacheOf(edge, '/x')));
    expect(edge.counters().origin.total.fetches).toBe(5);
  });

  it('a shared fetch continues for the others when one of those who wait goes away', async () => {
    const edge = await startEdge({ latencies: { originMs: 1_000 } });
    const [gone, stayed] = await Promise.all([askEdge(edge, { path: BIG, abortAfter: 1 }), askEdge(edge, { path: BIG })]);
    expect([gone.error, stayed.error, stayed.body.length]).toEqual(['aborted', '', 20 * 1024 ** 2]);
    expect(edge.counters().origin.total.fetches).toBe(1);
    expect(await xCacheOf(edge, BIG)).toBe('Hit');
  });

  it('POPs of a region fetch from the regional edge cache that they share', async () => {
    const pops = [
      { pop: 'SIN2-P1', regionalCache: 'ap-southeast-1' },
      { pop: 'SIN52-C2', regionalCache: 'ap-southeast-1' },
      { pop: 'FRA56-P4', regionalCache: 'eu-central-1' },
    ];
    const edge = await startEdge({ pops });
    for (const { pop } of pops) expect(await xCacheOf(edge, '/o/10/a', { pop })).toBe('Miss');
    const { origin, regional } = edge.counters();
    expect(origin.total.fetches).toBe(2);
    expect(regional.map(({ name, total }) => [name, total.hits, total.misses])).toEqual([
      ['ap-southeast-1', 1, 1],
      ['eu-central-1', 0, 1],
    ]);
  });

  it('clearing the caches removes the objects', async () => {
    const edge = await startEdge();
    await xCacheOf(edge, '/o/10/a');
    edge.clearCaches('FRA56-P4');
    expect(await xCacheOf(edge, '/o/10/a')).toBe('Hit');
    edge.clearCaches();
    expect(await xCacheOf(edge, '/o/10/a')).toBe('Miss');
    expect(edge.counters().origin.total.fetches).toBe(2);
  });
});

describe('the addresses of a POP', () => {
  it('the addresses of a POP share a cache, or each have their own', async () => {
    const pops = [
      { pop: 'SIN2-P1', addresses: 2 },
      { pop: 'FRA56-P4', addresses: 2, separateCaches: true },
    ];
    const edge = await startEdge({ pops });
    const twice = async (pop: string) => [await xCacheOf(edge, '/o/10/a', { pop }), await xCacheOf(edge, '/o/10/a', { pop, index: 1 })];
    expect(await twice('SIN2-P1')).toEqual(['Miss', 'Hit']);
    expect(await twice('FRA56-P4')).toEqual(['Miss', 'Miss']);
    expect(await twice('FRA56-P4')).toEqual(['Hit', 'Hit']);
  });
});

describe('the cache key', () => {
  it('the cache key is the path alone by default, whatever the scheme, the name and the query', async () => {
    const edge = await startEdge({ aliases: ['www.example.test'] });
    await xCacheOf(edge, '/o/10/a?x=1');
    expect(await xCacheOf(edge, '/o/10/a?x=2', { host: 'www.example.test', plain: true, headers: { 'accept-encoding': 'br' } })).toBe(
      'Hit',
    );
  });

  it('the cache key has the query, headers and encodings that the policy names', async () => {
    const cachePolicy = { keyByQuery: true, keyByHeaders: ['Accept-Language'], normaliseAcceptEncoding: true };
    const edge = await startEdge({ cachePolicy });
    const ask = (query: string, headers: Record<string, string>) => xCacheOf(edge, `/o/10/a${query}`, { headers });
    expect(await ask('?a=1', {})).toBe('Miss');
    expect(await ask('?a=2', {})).toBe('Miss');
    expect(await ask('?a=1', { 'accept-language': 'de' })).toBe('Miss');
    expect(await ask('?a=1', { 'accept-encoding': 'gzip, deflate, br' })).toBe('Miss');
    expect(await ask('?a=1', { 'accept-encoding': 'br;q=0.9,gzip' })).toBe('Hit');
    expect(await ask('?a=1', { 'accept-encoding': 'gzip, br;q=0' })).toBe('Miss');
    expect(await ask('?a=1', { 'x-other': '1' })).toBe('Hit');
    expect([...edge.counters().origin.objects.keys()]).toContain('/o/10/a?a=1 accept-language=de accept-encoding=');
  });
});
