import { bucketOfValue, quantileOfBuckets } from '../quantile.ts';

/**
 * Milliseconds of any number of requests, as counts in logarithmic buckets (64 to a doubling: within 0.6 %), so that hours
 * of them take as much memory as minutes. The latest are kept as they are, for those who send them on.
 */
export interface Times {
  readonly count: number;
  /** At most 100, oldest first. */
  readonly latest: readonly number[];
  add(ms: number): void;
  /** `share` from 0 to 1; null: nothing was added. */
  quantile(share: number): number | null;
}

const BUCKETS_PER_DOUBLING = 64;
const LATEST = 100;
/** What is less than a microsecond is one. */
const LEAST_MS = 0.001;

export function createTimes(): Times {
  const buckets = new Map<number, number>();
  const latest: number[] = [];
  let count = 0;
  return {
    get count() {
      return count;
    },
    latest,
    add(ms) {
      const bucket = bucketOfValue(Math.max(ms, LEAST_MS), BUCKETS_PER_DOUBLING);
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
      count++;
      latest.push(ms);
      if (latest.length > LATEST) latest.shift();
    },
    quantile: (share) => quantileOfBuckets(buckets, BUCKETS_PER_DOUBLING, share),
  };
}
