import { describe, expect, it } from 'vitest';
import { readServerTiming } from '../../core/work/server-timing.ts';
import { type ClientAnswer, type ClientAsk, askEdge } from './edge-client.ts';
import { useEdges } from './edge-fixture.ts';

const startEdge = useEdges();
const path = '/o/1000/a';
const asking = { pragma: 'server-timing' };
const REGION = [
  { pop: 'SIN2-P1', regionalCache: 'ap-southeast-1' },
  { pop: 'SIN52-C2', regionalCache: 'ap-southeast-1' },
];

const timingOf = ({ headers }: ClientAnswer) => String(headers['server-timing'] ?? '');
/** What the product reads of it. */
const read = (answer: ClientAnswer) => readServerTiming(timingOf(answer), String(answer.headers['x-amz-cf-id']));

async function startRegion(options: Parameters<typeof startEdge>[0] = {}) {
  const edge = await startEdge({ pops: REGION, serverTiming: true, regionalHits: 'Hit', ...options });
  return { edge, ask: (more: Partial<ClientAsk> = {}) => askEdge(edge, { path, headers: asking, ...more }) };
}

describe('Server-Timing', () => {
  it('a miss, a hit of the regional cache and a hit of the POP are told apart by their layer, and two of them read Hit', async () => {
    const { ask } = await startRegion();
    const [cold, regional, own] = [await ask(), await ask({ pop: 'SIN52-C2' }), await ask({ pop: 'SIN52-C2' })];
    expect([cold, regional, own].map(({ xCache }) => xCache)).toEqual(['Miss', 'Hit', 'Hit']);
    expect(read(cold)).toEqual({ layer: 'origin', upstreamLayer: 'regional', upstreamConnectMs: 0 });
    expect(read(regional)).toEqual({ layer: 'regional', upstreamLayer: null, upstreamConnectMs: -1 });
    expect(read(own)).toEqual({ layer: 'edge', upstreamLayer: null, upstreamConnectMs: -1 });
    expect(Number(regional.headers['age'])).toBeGreaterThanOrEqual(0);
  });

  it('the header is written as CloudFront writes it, with the POP and the id of the answer', async () => {
    const { ask } = await startRegion();
    const [cold, warm] = [await ask(), await ask()];
    const own = ({ headers }: ClientAnswer) => `cdn-pop;desc="SIN2-P1",cdn-rid;desc="${String(headers['x-amz-cf-id'])}"`;
    const ms = (text: string) => text.replaceAll(/(fbl;dur=)\d+/g, '$1N');
    const upstream = 'cdn-upstream-layer;desc="REC",cdn-upstream-dns;dur=0,cdn-upstream-connect;dur=0,cdn-upstream-fbl;dur=N';
    expect(ms(timingOf(cold))).toBe(`${upstream},cdn-cache-miss,${own(cold)},cdn-downstream-fbl;dur=N`);
    expect(ms(timingOf(warm))).toBe(`cdn-cache-hit,${own(warm)},cdn-hit-layer;desc="EDGE",cdn-downstream-fbl;dur=N`);
  });

  it('HEAD is told the layer too, though no cache stores anything of it', async () => {
    const { ask } = await startRegion();
    expect(read(await ask({ method: 'HEAD' })).layer).toBe('origin');
    await ask();
    expect(read(await ask({ method: 'HEAD', pop: 'SIN52-C2' })).layer).toBe('regional');
    expect(read(await ask({ method: 'HEAD' })).layer).toBe('edge');
  });

  it('nobody is told a layer who does not ask for it, or where the policy has the header off', async () => {
    const { ask } = await startRegion();
    expect(timingOf(await ask({ headers: {} }))).toBe('');
    expect(timingOf(await ask({ headers: { pragma: 'no-cache' } }))).toBe('');
    const { ask: askOff } = await startRegion({ serverTiming: false });
    expect(timingOf(await askOff())).toBe('');
    expect((await askOff({ pop: 'SIN52-C2' })).xCache).toBe('Hit');
  });

  it("the origin's own entries stand between CloudFront's on a miss, and are sent to those who do not ask", async () => {
    const { ask } = await startRegion({ objects: () => ({ size: 10, serverTiming: 'db;dur=53, cdn-cache;desc="the origin\'s, own"' }) });
    const cold = await ask();
    expect(timingOf(cold)).toContain('cdn-cache-miss,db;dur=53, cdn-cache;desc="the origin\'s, own",cdn-pop;');
    expect(read(cold).layer).toBe('origin');
    expect(timingOf(await ask({ headers: {} }))).toBe('db;dur=53, cdn-cache;desc="the origin\'s, own"');
    expect(read(await ask()).layer).toBe('edge');
  });

  it('a stale copy that still holds is a refresh of the cache that has it', async () => {
    let now = 0;
    const { edge, ask } = await startRegion({ now: () => now, objects: () => ({ size: 10, cacheControl: 'max-age=10' }) });
    await ask();
    now += 11_000;
    const behind = await ask({ pop: 'SIN52-C2' });
    expect([behind.xCache, read(behind).layer]).toEqual(['RefreshHit', 'regional']);
    expect(timingOf(behind)).toMatch(/^cdn-cache-refresh,/);
    const own = await ask();
    expect([own.xCache, read(own).layer]).toEqual(['RefreshHit', 'edge']);
    expect(edge.counters().origin.total).toMatchObject({ fetches: 1, revalidations: 1 });
  });

  it('Origin Shield asks the origin for every region, and what it has is a hit of its own layer', async () => {
    const pops = [
      { pop: 'SIN2-P1', regionalCache: 'ap-southeast-1' },
      { pop: 'FRA56-P4', regionalCache: 'eu-central-1' },
    ];
    const { edge, ask } = await startRegion({ pops, originShield: true });
    expect(read(await ask())).toMatchObject({ layer: 'origin', upstreamLayer: 'shield' });
    const far = await ask({ pop: 'FRA56-P4' });
    expect([far.xCache, read(far).layer]).toEqual(['Hit', 'shield']);
    expect(timingOf(far)).toContain('cdn-hit-layer;desc="Origin Shield"');
    expect(edge.counters().origin.total.fetches).toBe(1);
    edge.clearCaches();
    expect(read(await ask()).layer).toBe('origin');
  });

  it('what may not be cached is asked for by the POP itself, and a connection that was kept costs nothing', async () => {
    const originNetwork = { idleMs: 5_000, tlsRoundTrips: 1, roundTripMs: () => 20 };
    const objects = () => ({ size: 10, cacheControl: 'no-store' });
    const { ask } = await startRegion({ originNetwork, objects });
    expect(read(await ask())).toEqual({ layer: 'origin', upstreamLayer: 'edge', upstreamConnectMs: 40 });
    expect(read(await ask())).toEqual({ layer: 'origin', upstreamLayer: 'edge', upstreamConnectMs: 0 });
  });
});

describe('a hit of a regional cache', () => {
  it('reads Miss where the edge is set up so, though its layer is told', async () => {
    const { ask } = await startRegion({ regionalHits: 'Miss' });
    await ask();
    const regional = await ask({ pop: 'SIN52-C2' });
    expect([regional.xCache, read(regional).layer]).toEqual(['Miss', 'regional']);
  });

  it('counts as a miss of the POP in the counters, whatever it reads', async () => {
    const { edge, ask } = await startRegion();
    await ask();
    await ask({ pop: 'SIN52-C2' });
    expect(edge.counters().edge).toMatchObject({ hits: 0, misses: 2 });
  });
});
