import { describe, expect, it } from 'vitest';
import type { Fault } from '../../simulator/fault-rules.ts';
import { askEdge, xCacheOf } from './edge-client.ts';
import { useEdges } from './edge-fixture.ts';
import { until } from '../../testing/until.ts';

const startEdge = useEdges();
const path = '/o/200k/a';
const SIZE = 200 * 1024;

describe('a fault of an answer', () => {
  it('a fault can delay the first byte', async () => {
    const edge = await startEdge({ latencies: { edgeMs: 100, regionalMs: 100, originMs: 100 } });
    edge.setFault({}, { kind: 'latency', ms: 100 });
    const started = performance.now();
    await xCacheOf(edge, path);
    expect(performance.now() - started).toBeGreaterThan(390);
  });

  it('a fault can be any status, answered by the POP itself', async () => {
    const edge = await startEdge();
    for (const status of [503, 500, 404, 403, 429]) {
      const stop = edge.setFault({}, { kind: 'status', status });
      expect(await askEdge(edge, { path })).toMatchObject({ status, xCache: 'Error', error: '' });
      await stop();
    }
    edge.setFault({}, { kind: 'status', status: 302, location: 'https://elsewhere.test/' });
    expect(await askEdge(edge, { path })).toMatchObject({ status: 302, xCache: 'Miss', headers: { location: 'https://elsewhere.test/' } });
    expect(edge.counters().edge).toMatchObject({ gets: 6, errors: 5, hits: 0 });
    expect(edge.counters().origin.total.fetches).toBe(0);
  });

  it('a fault can be silence before the headers, or in the body', async () => {
    const edge = await startEdge();
    const stop = edge.setFault({}, { kind: 'stall', at: 'headers' });
    expect(await askEdge(edge, { path, timeoutMs: 1_000 })).toMatchObject({ status: 0, error: 'timeout' });
    await stop();
    edge.setFault({ times: 1 }, { kind: 'stall', at: 'body' });
    expect(await askEdge(edge, { path, timeoutMs: 1_000 })).toMatchObject({ status: 200, error: 'timeout', body: Buffer.alloc(0) });
    edge.setFault({ times: 1 }, { kind: 'stall', at: 'body', afterBytes: 100_000 });
    const some = await askEdge(edge, { path, timeoutMs: 1_000 });
    expect([some.error, some.body.length]).toEqual(['timeout', 100_000]);
    expect(await xCacheOf(edge, path)).toBe('Miss');
  });

  it('a fault can end a body early, with and without an announced length, and then nothing is stored', async () => {
    const edge = await startEdge({ objects: (wanted) => ({ size: SIZE, chunked: wanted === '/chunked' }) });
    edge.setFault({}, { kind: 'truncate', afterBytes: 100_000 });
    for (const wanted of ['/plain', '/chunked']) {
      const cut = await askEdge(edge, { path: wanted });
      expect([cut.status, cut.error, cut.body.length]).toEqual([200, 'ECONNRESET', 100_000]);
      expect((await askEdge(edge, { path: wanted })).xCache).toBe('Miss');
    }
    expect(edge.counters().edge).toMatchObject({ delivered: 0, bodyBytes: 400_000 });
  });

  it('a fault can be a custom error page, a challenge of AWS WAF, or what Server-Timing says', async () => {
    const edge = await startEdge({ serverTiming: true });
    const under = async (fault: Fault) => {
      const stop = edge.setFault({}, fault);
      const { status, xCache, headers, body } = await askEdge(edge, { path, headers: { pragma: 'server-timing' } });
      await stop();
      return { status, xCache, headers, isPage: body.toString().startsWith('<!doctype html>') };
    };
    expect(await under({ kind: 'error-page' })).toMatchObject({ status: 200, xCache: 'Error', isPage: true });
    expect(await under({ kind: 'error-page', status: 503 })).toMatchObject({ status: 503, xCache: 'Error', isPage: true });
    const challenged = { xCache: 'Error', isPage: true, headers: { 'cache-control': 'no-store' } };
    expect(await under({ kind: 'challenge', action: 'challenge' })).toMatchObject({ ...challenged, status: 202 });
    expect(await under({ kind: 'challenge', action: 'captcha' })).toMatchObject({ ...challenged, status: 405 });
    expect(edge.counters().origin.total.fetches).toBe(0);
    const timed = await under({ kind: 'server-timing', value: 'cdn-cache-hit,cdn-hit-layer;desc="MOON"' });
    expect(timed).toMatchObject({ status: 200, headers: { 'server-timing': 'cdn-cache-hit,cdn-hit-layer;desc="MOON"' } });
  });

  it('a fault can be the wrong POP, no x-cache, or an answer generated at the edge', async () => {
    const edge = await startEdge();
    const under = async (fault: Fault) => {
      const stop = edge.setFault({}, fault);
      const answer = await askEdge(edge, { path });
      await stop();
      return answer;
    };
    expect((await under({ kind: 'wrong-pop', pop: 'LHR50-P2' })).headers['x-amz-cf-pop']).toBe('LHR50-P2');
    expect((await under({ kind: 'no-x-cache' })).headers['x-cache']).toBeUndefined();
    expect((await under({ kind: 'generated', by: 'function' })).headers['x-cache']).toBe('FunctionGeneratedResponse from cloudfront');
    expect((await under({ kind: 'generated', by: 'lambda' })).headers['x-cache']).toBe('LambdaGeneratedResponse from cloudfront');
    expect((await askEdge(edge, { path })).headers['x-amz-cf-pop']).toBe('SIN2-P1');
  });

  it('a fault can keep the cache from being asked, or from being filled', async () => {
    const edge = await startEdge();
    const stopStore = edge.setFault({}, { kind: 'never-store' });
    for (let i = 0; i < 2; i++) expect(await xCacheOf(edge, path)).toBe('Miss');
    await stopStore();
    expect(await xCacheOf(edge, path)).toBe('Miss');
    expect(await xCacheOf(edge, path)).toBe('Hit');
    edge.setFault({}, { kind: 'never-hit' });
    expect(await xCacheOf(edge, path)).toBe('Miss');
  });

  it('a fault can make a body trickle', async () => {
    const edge = await startEdge();
    edge.setFault({}, { kind: 'trickle', bytesPerSecond: 10_000 });
    const started = performance.now();
    const answer = await askEdge(edge, { path: '/o/3000/slow' });
    expect([answer.error, answer.body.length]).toEqual(['', 3000]);
    expect(performance.now() - started).toBeGreaterThan(250);
    expect(await xCacheOf(edge, '/o/3000/slow')).toBe('Hit');
  });

  it('a fault meets only the requests that it names', async () => {
    const edge = await startEdge({ pops: [{ pop: 'SIN2-P1', addresses: 2 }, { pop: 'FRA56-P4' }] });
    const status = async (ask: Parameters<typeof askEdge>[1]) => (await askEdge(edge, ask)).status;
    const [, second = ''] = edge.edgeMap['SIN2-P1'] ?? [];
    edge.setFault({ pop: 'SIN2-P1', address: second, path: '/o/1/*', method: 'GET', after: 1, times: 2 }, { kind: 'status', status: 503 });
    const hit = { path: '/o/1/x', pop: 'SIN2-P1', index: 1 };
    expect(await status({ ...hit, index: 0 })).toBe(200);
    expect(await status({ ...hit, pop: 'FRA56-P4', index: 0 })).toBe(200);
    expect(await status({ ...hit, path: '/o/2/x' })).toBe(200);
    expect(await status({ ...hit, method: 'HEAD' })).toBe(200);
    expect([await status(hit), await status(hit), await status(hit), await status(hit)]).toEqual([200, 503, 503, 200]);
  });
});

describe('a fault of a connection', () => {
  it('a fault can reset a connection instead of answering, over TLS and plain', async () => {
    const edge = await startEdge();
    edge.setFault({}, { kind: 'reset' });
    for (const plain of [false, true]) expect(await askEdge(edge, { path, plain })).toMatchObject({ status: 0, error: 'ECONNRESET' });
  });

  it('a fault can close the ports of an address until it ends', async () => {
    const edge = await startEdge();
    const stop = edge.setFault({ pop: 'SIN2-P1' }, { kind: 'dead', how: 'refuses' });
    for (const plain of [false, true]) expect((await askEdge(edge, { path, plain })).error).toBe('ECONNREFUSED');
    expect((await askEdge(edge, { path, pop: 'FRA56-P4' })).status).toBe(200);
    await stop();
    expect((await askEdge(edge, { path })).status).toBe(200);
  });

  it('a fault can make an address accept and stay silent', async () => {
    const edge = await startEdge();
    const stop = edge.setFault({ pop: 'SIN2-P1' }, { kind: 'dead', how: 'silent' });
    for (const plain of [false, true]) expect((await askEdge(edge, { path, plain, timeoutMs: 1_000 })).error).toBe('timeout');
    await stop();
    expect((await askEdge(edge, { path })).status).toBe(200);
    expect(edge.counters().edge.gets).toBe(1);
  });

  it('a fault can present a certificate for another name', async () => {
    const edge = await startEdge();
    const stop = edge.setFault({ pop: 'SIN2-P1' }, { kind: 'wrong-certificate' });
    expect((await askEdge(edge, { path })).error).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect((await askEdge(edge, { path, plain: true })).status).toBe(200);
    await stop();
    expect((await askEdge(edge, { path })).status).toBe(200);
  });

  it('a fault of a connection ends what is under way', async () => {
    const edge = await startEdge();
    edge.setFault({}, { kind: 'trickle', bytesPerSecond: 100 });
    const slow = askEdge(edge, { path });
    await until('a body has begun', () => edge.counters().edge.bodyBytes > 0);
    edge.setFault({}, { kind: 'dead', how: 'refuses' });
    expect((await slow).error).toBe('ECONNRESET');
  });
});
