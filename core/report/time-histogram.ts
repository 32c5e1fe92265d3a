import { bucketOfValue, quantileOfBuckets } from '../quantile.ts';

/**
 * First-byte times as counts in logarithmic buckets (8 to a doubling: 9 % wide), so that medians and percentiles of any
 * number of targets are sums of small counters (docs/adr/0015 says why they are not finer). Bucket n covers [2^(n/8), 2^((n+1)/8)) tenths of a millisecond.
 */
const BUCKETS_PER_DOUBLING = 8;
const MAX_BUCKET = 160;

export function bucketOf(ms: number): number {
  const tenths = ms * 10;
  return tenths > 1 ? Math.min(MAX_BUCKET, bucketOfValue(tenths, BUCKETS_PER_DOUBLING)) : 0;
}

/** The `share` quantile (0 to 1) of the buckets `prefix.<n>` among the counters, milliseconds; null: nothing was measured. */
export function quantile(counters: Readonly<Record<string, number>>, prefix: 'first' | 'last', share: number): number | null {
  const buckets: [number, number][] = [];
  for (const key in counters) {
    if (key.startsWith(`${prefix}.`)) buckets.push([Number(key.slice(prefix.length + 1)), counters[key] ?? 0]);
  }
  const tenths = quantileOfBuckets(buckets, BUCKETS_PER_DOUBLING, share);
  return tenths === null ? null : tenths / 10;
}
