/** The least value that at least `share` (0 to 1) of the sorted values do not exceed (nearest rank); NaN: there are none. */
export function quantileOf(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle of the sorted values, or the mean of the two in the middle; NaN: there are none. */
export function medianOf(sorted: readonly number[]): number {
  return (quantileOf(sorted, 0.5) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}

/** For both of them. */
export const ascending = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);

/** The logarithmic bucket of a positive value: bucket n of `perDoubling` to a doubling covers [2^(n/perDoubling), 2^((n+1)/perDoubling)). */
export const bucketOfValue = (value: number, perDoubling: number): number => Math.floor(Math.log2(value) * perDoubling);

/**
 * The `share` quantile (0 to 1) of values that are counted in logarithmic buckets; null: there are none. Values are taken as spread
 * evenly over their bucket, so that what lies in one bucket is still told apart.
 */
export function quantileOfBuckets(
  buckets: Iterable<readonly [bucket: number, size: number]>,
  perDoubling: number,
  share: number,
): number | null {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  let left = share * sorted.reduce((sum, [, size]) => sum + size, 0);
  for (const [bucket, size] of sorted) {
    if (left <= size) return 2 ** ((bucket + left / size) / perDoubling);
    left -= size;
  }
  const last = sorted.at(-1);
  return last === undefined ? null : 2 ** ((last[0] + 1) / perDoubling);
}
