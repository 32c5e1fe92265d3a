import { type ByteRange, type RangeSpec, resolveRange } from './byte-range.ts';
import type { AnswerMeta, Opened, Want } from './upstream.ts';

/** What a cache knows of an object: never its bytes. */
export interface CacheEntry {
  readonly object: string;
  readonly meta: AnswerMeta;
  /** False: only `ranges` are here. */
  readonly whole: boolean;
  readonly ranges: ByteRange[];
  fetchedAt: number;
  expiresAt: number;
}

/** What one cache holds, by cache key. */
export interface CacheEntries {
  /** What may answer this, fresh or not; undefined: nothing does. */
  find(want: Want): CacheEntry | undefined;
  /** Keeps what was delivered in full. The function returned takes it back. */
  readonly store: (want: Want, source: Opened, ttlMs: number) => () => void;
  /** Forgets this entry, unless another has taken its place. */
  forget(want: Want, entry: CacheEntry): void;
  invalidate(matches: (object: string) => boolean): void;
}

function covers(entry: CacheEntry, range: RangeSpec | null): boolean {
  if (entry.whole || range === null) return entry.whole;
  const wanted = resolveRange(range, entry.meta.size);
  return wanted !== null && entry.ranges.some(({ start, end }) => start <= wanted.start && wanted.end <= end);
}

function addRange(entry: CacheEntry, range: ByteRange): () => void {
  if (!entry.whole) entry.ranges.push(range);
  return () => void entry.ranges.splice(entry.ranges.indexOf(range), entry.ranges.includes(range) ? 1 : 0);
}

/** An empty cache, which keeps a range as that range only. */
export function createCacheEntries(now: () => number): CacheEntries {
  const entries = new Map<string, CacheEntry>();

  const forget: CacheEntries['forget'] = ({ key }, entry) => {
    if (entries.get(key) === entry) entries.delete(key);
  };
  return {
    find(want) {
      const entry = entries.get(want.key);
      return entry !== undefined && covers(entry, want.range) ? entry : undefined;
    },
    store(want, { meta, fetchedAt, sends }, ttlMs) {
      const old = entries.get(want.key);
      const range = sends === 'range' && want.range !== null ? resolveRange(want.range, meta.size) : null;
      if (range !== null && old !== undefined && old.meta.etag === meta.etag && old.expiresAt > now()) return addRange(old, range);
      const ranges = range === null ? [] : [range];
      const entry = { object: want.object, meta, whole: range === null, ranges, fetchedAt, expiresAt: fetchedAt + ttlMs };
      entries.set(want.key, entry);
      return () => forget(want, entry);
    },
    forget,
    invalidate(matches) {
      for (const [key, entry] of entries) if (matches(entry.object)) entries.delete(key);
    },
  };
}
