import type { IncomingHttpHeaders } from 'node:http';

/** What is in the cache key, and how long an answer may be stored. */
export interface CachePolicy {
  /** The whole query string is in the key (and goes to the origin); default false. */
  readonly keyByQuery: boolean;
  /** Names of request headers whose values are in the key; default none. */
  readonly keyByHeaders: readonly string[];
  /** `gzip` and `br` of Accept-Encoding are in the key; default false. Nothing is compressed all the same. */
  readonly normaliseAcceptEncoding: boolean;
  /** Where the origin says nothing; default 24 h. */
  readonly defaultTtlMs: number;
  /** Above 0 it also stores what `no-store`, `no-cache` and `private` forbid, as CloudFront does; default 0. */
  readonly minTtlMs: number;
  /** Default a year. */
  readonly maxTtlMs: number;
  /** How long answers from 400 on are stored; default 0: not at all. */
  readonly errorTtlMs: number;
}

const DAY_MS = 86_400_000;

export function resolveCachePolicy(policy: Partial<CachePolicy>): CachePolicy {
  return {
    keyByQuery: false,
    keyByHeaders: [],
    normaliseAcceptEncoding: false,
    defaultTtlMs: DAY_MS,
    minTtlMs: 0,
    maxTtlMs: 365 * DAY_MS,
    errorTtlMs: 0,
    ...policy,
  };
}

/** `object`: what the origin and an invalidation know it by (path, with the query where it is in the key). `key`: that and the headers of the key. */
interface CacheKey {
  readonly object: string;
  readonly key: string;
}

function normalisedEncodings(header: string | undefined): string {
  if (header === undefined) return '';
  const accepted = header
    .toLowerCase()
    .split(',')
    .map((part) => part.trim().split(/\s*;\s*/))
    .filter(([, quality]) => quality === undefined || !/^q=0(\.0*)?$/.test(quality))
    .map(([name]) => name);
  return ['br', 'gzip'].filter((name) => accepted.includes(name)).join(',');
}

export type CacheKeyOf = (url: string, headers: IncomingHttpHeaders) => CacheKey;

/** The function that names a request's cache entry. Method, scheme and (unless it is keyed) Host are not in it. */
export function createCacheKeyOf(policy: CachePolicy): CacheKeyOf {
  const names = policy.keyByHeaders.map((name) => name.toLowerCase());
  return (url, headers) => {
    const mark = policy.keyByQuery ? -1 : url.indexOf('?');
    const object = mark < 0 ? url : url.slice(0, mark);
    let key = object;
    for (const name of names) key += ` ${name}=${encodeURIComponent(String(headers[name] ?? ''))}`;
    if (policy.normaliseAcceptEncoding) key += ` accept-encoding=${normalisedEncodings(headers['accept-encoding'])}`;
    return { object, key };
  };
}

function maxAgeMs(cacheControl: string): number | null {
  const seconds = /(?:^|[\s,])s-maxage="?(\d+)/.exec(cacheControl)?.[1] ?? /(?:^|[\s,])max-age="?(\d+)/.exec(cacheControl)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

/** How long an answer stays fresh, milliseconds; 0: stored, and asked for again every time; null: not stored. */
export function ttlOf(policy: CachePolicy, answer: { readonly status: number; readonly cacheControl: string }): number | null {
  if (answer.status >= 400) return policy.errorTtlMs > 0 ? policy.errorTtlMs : null;
  const cacheControl = answer.cacheControl.toLowerCase();
  if (/(?:^|[\s,])(?:no-store|no-cache|private)(?:$|[\s,=])/.test(cacheControl)) return policy.minTtlMs > 0 ? policy.minTtlMs : null;
  const maxAge = maxAgeMs(cacheControl);
  if (maxAge === null) return Math.max(policy.defaultTtlMs, policy.minTtlMs);
  return Math.min(Math.max(maxAge, policy.minTtlMs), policy.maxTtlMs);
}
