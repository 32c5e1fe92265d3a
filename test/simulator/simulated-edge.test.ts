import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSimulatedEdge } from '../../simulator/simulated-edge.ts';
import { askEdge } from './edge-client.ts';
import { useEdges } from './edge-fixture.ts';
import { until } from '../../testing/until.ts';

const startEdge = useEdges();

describe('the names of the distribution', () => {
  it('the edge answers to exactly the names that its certificate covers', async () => {
    const edge = await startEdge({ host: 'd222222abcdef8.cloudfront.net', aliases: ['cdn.example.test'] });
    for (const host of ['d222222abcdef8.cloudfront.net', 'cdn.example.test', 'a.cdn.example.test']) {
      expect((await askEdge(edge, { path: '/o/1/a', host })).status).toBe(200);
    }
    expect((await askEdge(edge, { path: '/o/1/a', host: 'other.example.test' })).error).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await askEdge(edge, { path: '/o/1/a', host: 'other.example.test', plain: true })).toMatchObject({
      status: 421,
      xCache: 'Error',
    });
    expect((await askEdge(edge, { path: '/o/1/a', method: 'POST' })).status).toBe(403);
  });
});

describe('the counters', () => {
  it('the counters equal what a client saw, per address, object and in all', async () => {
    const edge = await startEdge({ pops: [{ pop: 'SIN2-P1', addresses: 2 }, { pop: 'FRA56-P4' }] });
    const seen = { hits: 0, misses: 0, gets: 0, heads: 0, ranges: 0, bodyBytes: 0, delivered: 0 };
    const places = [['SIN2-P1', 0] as const, ['SIN2-P1', 1] as const, ['FRA56-P4', 0] as const];
    for (let i = 0; i < 60; i++) {
      const [pop, index] = places[i % 3] ?? ['SIN2-P1', 0];
      const kind = i % 5;
      const headers: Record<string, string> = kind === 3 ? { range: 'bytes=5-14' } : {};
      const answer = await askEdge(edge, {
        path: `/o/70k/${i % 4}`,
        pop,
        index,
        method: kind === 4 ? 'HEAD' : 'GET',
        headers,
        plain: i % 2 === 0,
      });
      expect(answer.error).toBe('');
      seen[kind === 4 ? 'heads' : kind === 3 ? 'ranges' : 'gets']++;
      if (kind < 3) seen.delivered++;
      seen[answer.xCache === 'Hit' ? 'hits' : 'misses']++;
      seen.bodyBytes += answer.body.length;
    }
    const { edge: total, addresses } = edge.counters();
    expect(total).toEqual({ ...seen, refreshHits: 0, errors: 0 });
    expect(seen.hits).toBeGreaterThan(30);
    expect(addresses.map(({ pop, address }) => [pop, address])).toEqual(places.map(([pop, index]) => [pop, edge.edgeMap[pop]?.[index]]));
    const perObject = addresses.flatMap(({ objects }) => [...objects.values()]);
    expect(perObject.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0)).toBe(seen.bodyBytes);
  });

  it('a copy of the counters does not change', async () => {
    const edge = await startEdge();
    await askEdge(edge, { path: '/o/1/a' });
    const before = edge.counters();
    await askEdge(edge, { path: '/o/1/a' });
    expect(before.edge.gets).toBe(1);
    expect(before.addresses[0]?.objects.get('/o/1/a')?.gets).toBe(1);
  });
});

describe('a big object', () => {
  it('the edge never holds a big object in memory', async () => {
    const edge = await startEdge();
    const before = process.memoryUsage().rss;
    const answer = await askEdge(edge, { path: '/o/400m/a', discard: true, timeoutMs: 20_000 });
    expect([answer.error, answer.headers['content-length']]).toEqual(['', String(400 * 1024 ** 2)]);
    expect(edge.counters().edge.bodyBytes).toBe(400 * 1024 ** 2);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 ** 2);
  });

  it('the edge sends a big object no faster than it is read', async () => {
    const edge = await startEdge();
    const [, port = ''] = (edge.httpEdgeMap['SIN2-P1']?.[0] ?? '').split(':');
    const socket = connect({ host: '127.0.0.1', port: Number(port) }).pause();
    socket.write(`GET /o/10g/a HTTP/1.1\r\nHost: ${edge.host}\r\n\r\n`);
    await until('a body has begun', () => edge.counters().edge.bodyBytes > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(edge.counters().edge.bodyBytes).toBeLessThan(64 * 1024 ** 2);
    socket.destroy();
  });
});

describe('starting and closing', () => {
  it('the edge writes the files that a command line needs', async () => {
    const edge = await startEdge({ pops: [{ pop: 'SIN2-P1', addresses: 2 }] });
    const dir = await mkdtemp(join(tmpdir(), 'simulated-edge-'));
    try {
      const { caFile, edgeMapFile } = await edge.writeFiles(join(dir, 'new'));
      expect(await readFile(caFile, 'utf8')).toBe(edge.caPem);
      expect(JSON.parse(await readFile(edgeMapFile, 'utf8'))).toEqual(edge.edgeMap);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('the edge gives every address an ip of its own on shared ports', async () => {
    const edge = await startEdge({ bind: 'addresses', pops: [{ pop: 'SIN2-P1', addresses: 3 }, { pop: 'FRA56-P4' }] });
    const all = Object.values(edge.edgeMap).flat();
    expect(new Set(all.map((address) => address.split(':')[0])).size).toBe(4);
    expect(new Set(all.map((address) => address.split(':')[1]))).toEqual(new Set([String(edge.edgePort)]));
    expect(all.every((address) => address.startsWith('127.'))).toBe(true);
    expect((await askEdge(edge, { path: '/o/1/a', index: 2 })).headers['x-amz-cf-pop']).toBe('SIN2-P1');
    expect((await askEdge(edge, { path: '/o/1/a', pop: 'FRA56-P4', plain: true })).headers['x-amz-cf-pop']).toBe('FRA56-P4');
  });

  it('closing frees every port at once, whatever is under way', async () => {
    const edge = await createSimulatedEdge({ latencies: { originMs: 60_000 } });
    const [waiting, silent] = [askEdge(edge, { path: '/o/1/a' }), askEdge(edge, { path: '/o/1/b', plain: true })];
    await until('two GETs have come', () => edge.counters().edge.gets === 2);
    await edge.close();
    for (const answer of await Promise.all([waiting, silent])) expect(answer.error).toBe('ECONNRESET');
    expect((await askEdge(edge, { path: '/o/1/a' })).error).toBe('ECONNREFUSED');
    await expect(fetch(edge.invalidationEndpoint)).rejects.toThrow('fetch failed');
  });

  it('the edge refuses options that make no sense', async () => {
    await expect(createSimulatedEdge({ pops: [{ pop: 'nowhere' }] })).rejects.toThrow('nowhere');
    await expect(createSimulatedEdge({ pops: [] })).rejects.toThrow('at least one');
    await expect(createSimulatedEdge({ pops: [{ pop: 'SIN2-P1' }, { pop: 'SIN2-P1' }] })).rejects.toThrow('twice');
    await expect(createSimulatedEdge({ pops: [{ pop: 'SIN2-P1', addresses: 0 }] })).rejects.toThrow('addresses');
  });
});
