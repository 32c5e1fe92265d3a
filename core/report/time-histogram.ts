/**
 * First-byte times as counts in logarithmic buckets (8 to a doubling: 9 % wide), so that medians and percentiles of any
 * number of targets are sums of small counters (docs/adr/0015 says why they are not finer). Bucket n covers [2^(n/8), 2^((n+1)/8)) tenths of a millisecond.
 */
const BUCKETS_PER_DOUBLING = 8;
const MAX_BUCKET = 160;

export function bucketOf(ms: number): number {
  const tenths = ms * 10;
  if (!(tenths > 1)) return 0;
  return Math.min(MAX_BUCKET, Math.floor(Math.log2(tenths) * BUCKETS_PER_DOUBLING));
}

/** Milliseconds at a place within the bucket, 0 at its begin and 1 at its end. */
function timeAt(bucket: number, place: number): number {
  return 2 ** ((bucket + place) / BUCKETS_PER_DOUBLING) / 10;
}

/**
 * The `share` quantile (0 to 1) of the buckets `prefix.<n>` among the counters, milliseconds; null: nothing was measured.
 * Times are taken as spread evenly over their bucket, so that what lies in one bucket is still told apart.
 */
export function quantile(counters: Readonly<Record<string, number>>, prefix: 'first' | 'last', share: number): number | null {
  const buckets: [number, number][] = [];
  let total = 0;
  for (const key in counters) {
    if (!key.startsWith(`${prefix}.`)) continue;
    const size = counters[key] ?? 0;
    buckets.push([Number(key.slice(prefix.length + 1)), size]);
    total += size;
  }
  if (total === 0) return null;
  buckets.sort((a, b) => a[0] - b[0]);
  let left = share * total;
  for (const [bucket, size] of buckets) {
    if (left <= size) return timeAt(bucket, left / size);
    left -= size;
  }
  return timeAt(buckets.at(-1)?.[0] ?? 0, 1);
}
