/**
 * Everything that is counted, as flat sums: adding two of them is adding each key. So one task's figures fit into an
 * object's metadata (S3: 2 KB), and a store can add them to a row without reading it.
 */
export type Counters = Readonly<Record<CounterKey, number>>;

/** Keys beyond the fixed ones: `reason.<code>` and the buckets of first-byte times before (`first.<n>`) and after (`last.<n>`). */
export type CounterKey =
  | 'warmed'
  | 'already_warm'
  | 'failed'
  /** Targets whose cache was seen to hold the whole object. */
  | 'verified'
  /** Targets answered by another POP of the same city. */
  | 'near'
  /** Bytes of the done targets' objects, each read counted once (`download_size`). */
  | 'done_bytes'
  /** Bytes of objects whose length sizing could not learn and the GET did. */
  | 'learnt_bytes'
  /** Every body byte read from the edge, checks and retries included. */
  | 'edge_bytes'
  /** GETs sent, checks included. */
  | 'attempts'
  /** Tasks in which the POP's addresses were found to be separate caches. */
  | 'separate'
  | `reason.${string}`
  | `first.${number}`
  | `last.${number}`;

export const NO_COUNTERS: Counters = {} as Counters;

/** Adds `b` to `a` in place and returns `a`. */
export function addCounters(a: Record<string, number>, b: Counters): Record<string, number> {
  for (const key in b) a[key] = (a[key] ?? 0) + (b[key as CounterKey] ?? 0);
  return a;
}

export function count(counters: Counters, key: CounterKey): number {
  return counters[key] ?? 0;
}

/** Targets that are in exactly one of the three outcomes. */
export function accounted(counters: Counters): number {
  return count(counters, 'warmed') + count(counters, 'already_warm') + count(counters, 'failed');
}
