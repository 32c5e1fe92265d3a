import { type EdgeCaches, type EdgeCachesOptions, startEdgeCaches } from '../testing/nginx/edge-caches.ts';

const popNames = (count: number): string[] => Array.from({ length: count }, (_, index) => `IAD${index + 1}-P1`);

export interface BenchEdge {
  readonly edge: EdgeCaches;
  readonly urls: readonly string[];
  readonly pops: readonly string[];
}

/**
 * POPs of one address each (127.0.1.1 and on) and `urls` objects of `bytes`. `hot`: a server whose every answer is a Hit.
 * `cold`: empty caches over an origin, with nginx's own way of storing.
 */
export async function startBenchEdge(
  size: { readonly urls: number; readonly bytes: number; readonly pops: number },
  state: 'hot' | 'cold',
  more: Pick<EdgeCachesOptions, 'log' | 'limitRate'> = {},
): Promise<BenchEdge> {
  const names = Array.from({ length: size.urls }, (_, index) => `o/${String(index + 1).padStart(5, '0')}.bin`);
  const pops = popNames(size.pops);
  const edge = await startEdgeCaches({
    pops: pops.map((pop) => ({ pop, addresses: 1, separate: false })),
    objects: names.map((path) => ({ path, bytes: size.bytes })),
    kind: state === 'hot' ? 'static' : 'cache',
    storeOnAbort: true,
    log: false,
    ...more,
  });
  return { edge, pops, urls: names.map((name) => `https://${edge.host}/${name}`) };
}
