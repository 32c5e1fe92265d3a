import { type CacheEntry, createCacheEntries } from './cache-entries.ts';
import { createCacheFlights } from './cache-flights.ts';
import type { EdgeClock } from './edge-clock.ts';
import type { AnswerMeta, Found, Layer, Looked, Opened, Source, Upstream, Want } from './upstream.ts';

/** Faults that change how one request is treated. */
interface CacheTreatment {
  readonly neverHit: boolean;
  readonly neverStore: boolean;
}

export interface CacheTier extends Upstream {
  open(want: Want, treatment?: CacheTreatment): Promise<Opened>;
  head(want: Want, treatment?: CacheTreatment): Promise<Looked>;
  /** Forgets the objects that `matches`, and does not store what is being fetched of them now. */
  invalidate(matches: (object: string) => boolean): void;
}

export interface CacheTierOptions {
  readonly layer: Layer;
  readonly upstream: Upstream;
  /** Milliseconds an answer stays fresh; null: not stored. */
  readonly ttlOf: (meta: AnswerMeta) => number | null;
  readonly latencyMs: number;
  readonly clock: EdgeClock;
}

const NO_TREATMENT: CacheTreatment = { neverHit: false, neverStore: false };

/** The tier above, whose answers say that this layer asked the origin where no other did. */
function askedBy(layer: Layer, upstream: Upstream): Upstream {
  const mark = <T extends Looked>(looked: T): T => {
    const { source } = looked;
    return source.layer === 'origin' && source.askedBy === null ? { ...looked, source: { ...source, askedBy: layer } } : looked;
  };
  return {
    open: async (want) => mark(await upstream.open(want)),
    head: async (want) => mark(await upstream.head(want)),
  };
}

function answerFrom({ meta, fetchedAt }: CacheEntry, found: Found, source: Source, want: Want): Opened {
  const notModified = want.ifNoneMatch !== null && want.ifNoneMatch === meta.etag;
  const sends = want.range === null || meta.status !== 200 ? 'whole' : 'range';
  return { meta, found, source, fetchedAt, notModified, sends, settle: () => () => undefined };
}

/** One cache over the tier above it, as strict as CloudFront may be: it stores what was delivered in full and nothing else, nothing on HEAD. */
export function createCacheTier({ layer, upstream: above, ttlOf, latencyMs, clock }: CacheTierOptions): CacheTier {
  const upstream = askedBy(layer, above);
  const held: Source = { layer, refreshed: false, askedBy: null, connectMs: 0 };
  const entries = createCacheEntries(clock.now);
  const flights = createCacheFlights({ upstream, ttlOf, store: entries.store });

  async function revalidate(want: Want, entry: CacheEntry, neverStore: boolean): Promise<Opened> {
    const source = await flights.fetch({ ...want, ifNoneMatch: entry.meta.etag }, neverStore);
    if (!source.notModified) {
      entries.forget(want, entry);
      return source;
    }
    source.settle(true);
    entry.fetchedAt = source.fetchedAt;
    entry.expiresAt = source.fetchedAt + (ttlOf(entry.meta) ?? 0);
    return answerFrom(entry, 'refresh', { ...held, refreshed: true }, want);
  }

  return {
    async open(want, { neverHit, neverStore } = NO_TREATMENT) {
      if (latencyMs > 0) await clock.wait(latencyMs);
      const entry = neverHit ? undefined : entries.find(want);
      if (entry === undefined) return flights.fetch(want, neverStore);
      if (entry.expiresAt > clock.now()) return answerFrom(entry, 'hit', held, want);
      return entry.meta.etag === '' ? flights.fetch(want, neverStore) : revalidate(want, entry, neverStore);
    },
    async head(want, { neverHit } = NO_TREATMENT) {
      if (latencyMs > 0) await clock.wait(latencyMs);
      const entry = neverHit ? undefined : entries.find({ ...want, range: null });
      if (entry !== undefined && entry.expiresAt > clock.now())
        return { meta: entry.meta, found: 'hit', source: held, fetchedAt: entry.fetchedAt };
      return { ...(await upstream.head(want)), found: 'miss' };
    },
    invalidate(matches) {
      entries.invalidate(matches);
      flights.invalidate(matches);
    },
  };
}
