import { describe, expect, it } from 'vitest';
import type { SimulatedEdge } from '../../simulator/simulated-edge.ts';
import { askEdge, xCacheOf } from './edge-client.ts';
import { useEdges } from './edge-fixture.ts';
import { until } from '../../testing/until.ts';

const startEdge = useEdges();

interface Reply {
  readonly httpStatus: number;
  readonly id?: string;
  readonly status?: string;
}

async function invalidate(edge: SimulatedEdge, body: unknown): Promise<Reply> {
  const response = await fetch(`${edge.invalidationEndpoint}/invalidations`, { method: 'POST', body: JSON.stringify(body) });
  return { httpStatus: response.status, ...((await response.json()) as object) };
}

async function statusOf(edge: SimulatedEdge, id = ''): Promise<Reply> {
  const response = await fetch(`${edge.invalidationEndpoint}/invalidations/${id}`);
  return { httpStatus: response.status, ...((await response.json()) as object) };
}

describe('an invalidation', () => {
  it('an invalidation takes effect in every cache when it completes, not before', async () => {
    const edge = await startEdge({ invalidationDelayMs: 1_500 });
    const both = async (path: string) => [await xCacheOf(edge, path), await xCacheOf(edge, path, { pop: 'FRA56-P4' })];
    for (const path of ['/o/10/a', '/o/10/b', '/o/10/c']) await both(path);
    const created = await invalidate(edge, { callerReference: 'r1', paths: ['/o/10/a', '/o/10/b*'] });
    expect(created).toMatchObject({ httpStatus: 201, status: 'InProgress' });
    expect(await both('/o/10/a')).toEqual(['Hit', 'Hit']);
    await until('the invalidation is completed', () => edge.invalidations.find(created.id ?? '')?.status === 'Completed');
    expect(await statusOf(edge, created.id)).toEqual({ httpStatus: 200, id: created.id, status: 'Completed' });
    expect(await both('/o/10/a')).toEqual(['Miss', 'Miss']);
    expect(await both('/o/10/b')).toEqual(['Miss', 'Miss']);
    expect(await both('/o/10/c')).toEqual(['Hit', 'Hit']);
    expect(edge.counters().origin.objects.get('/o/10/a')?.fetches).toBe(2);
  });

  it('an invalidation is the same one for the same reference and paths, and a conflict for other paths', async () => {
    const edge = await startEdge();
    const first = await invalidate(edge, { callerReference: 'r', paths: ['/a', '/b'] });
    expect(first.status).toBe('Completed');
    expect((await invalidate(edge, { callerReference: 'r', paths: ['/b', '/a'] })).id).toBe(first.id);
    expect((await invalidate(edge, { callerReference: 'r', paths: ['/a'] })).httpStatus).toBe(409);
    expect((await invalidate(edge, { callerReference: 's', paths: ['/a', '/b'] })).id).not.toBe(first.id);
    expect(edge.invalidations.count).toBe(2);
  });

  it('an invalidation is refused with a path that CloudFront refuses: unsafe characters, too long, or twice', async () => {
    const edge = await startEdge();
    for (const path of ['/a~b', '/a[0]', '/a|b', '/a b', '/a"b', '/a<b', '/a^b', '/a`b', '/a{b', '/a\\b', '/é', `/${'a'.repeat(4000)}`]) {
      expect([path, (await invalidate(edge, { callerReference: 'r', paths: ['/good', path] })).httpStatus]).toEqual([path, 400]);
    }
    expect((await invalidate(edge, { callerReference: 'r', paths: ['/a', '/b', '/a'] })).httpStatus).toBe(400);
    const taken = ['/', '/a%7Eb', `/${'a'.repeat(3999)}`, "/!$&'()+,;=:@-._?a=b/c?d", '/img/*'];
    expect((await invalidate(edge, { callerReference: 'r', paths: taken })).httpStatus).toBe(201);
  });

  it('an invalidation is refused with more than 3,000 paths, with none, or with a malformed one', async () => {
    const edge = await startEdge();
    const paths = Array.from({ length: 3001 }, (_, i) => `/p${i}`);
    const bad = [
      { callerReference: 'r', paths },
      { callerReference: 'r', paths: [] },
      { callerReference: 'r', paths: ['a'] },
    ];
    for (const body of [...bad, { callerReference: 'r', paths: ['/a*b'] }, { paths: ['/a'] }, 'junk']) {
      expect((await invalidate(edge, body)).httpStatus).toBe(400);
    }
    expect((await invalidate(edge, { callerReference: 'r', paths: paths.slice(1) })).httpStatus).toBe(201);
    expect((await statusOf(edge, 'INONE')).httpStatus).toBe(404);
  });

  it('an invalidation keeps a download that began before it from being stored', async () => {
    const edge = await startEdge();
    const stop = edge.setFault({ times: 1 }, { kind: 'trickle', bytesPerSecond: 2_000 });
    let ended = false;
    const slow = askEdge(edge, { path: '/o/2000/slow' }).finally(() => {
      ended = true;
    });
    await until('a body has begun', () => edge.counters().edge.bodyBytes > 0);
    await invalidate(edge, { callerReference: 'r', paths: ['/*'] });
    expect(ended).toBe(false);
    expect((await slow).body.length).toBe(2000);
    await stop();
    expect(await xCacheOf(edge, '/o/2000/slow')).toBe('Miss');
  });
});
