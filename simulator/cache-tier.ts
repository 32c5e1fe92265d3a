import { type ByteRange, type RangeSpec, resolveRange } from './byte-range.ts';
import type { AnswerMeta, Found, Looked, Opened, Upstream, Want } from './upstream.ts';

/** What a cache knows of an object: never its bytes. */
interface Entry {
  readonly object: string;
  readonly meta: AnswerMeta;
  /** False: only `ranges` are here. */
  readonly whole: boolean;
  readonly ranges: ByteRange[];
  fetchedAt: number;
  expiresAt: number;
}

/** One fetch from the tier above, shared by all who asked for the same while it lasted. */
interface Flight {
  readonly object: string;
  readonly source: Promise<Opened>;
  viewers: number;
  ended: boolean;
  /** An invalidation came meanwhile: what arrives is not stored. */
  outdated: boolean;
}

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
  readonly upstream: Upstream;
  /** Milliseconds an answer stays fresh; null: not stored. */
  readonly ttlOf: (meta: AnswerMeta) => number | null;
  readonly latencyMs: number;
  readonly wait: (ms: number) => Promise<void>;
  readonly now: () => number;
}

const NO_TREATMENT: CacheTreatment = { neverHit: false, neverStore: false };
const nothing = () => undefined;

function covers(entry: Entry, range: RangeSpec | null): boolean {
  if (entry.whole || range === null) return entry.whole;
  const wanted = resolveRange(range, entry.meta.size);
  return wanted !== null && entry.ranges.some(({ start, end }) => start <= wanted.start && wanted.end <= end);
}

const flightId = ({ key, range, ifNoneMatch }: Want) => `${key}\n${range?.start ?? ''}-${range?.end ?? ''}\n${ifNoneMatch ?? ''}`;

function answerFrom(entry: Entry, found: Found, want: Want): Opened {
  const { meta, fetchedAt } = entry;
  const notModified = want.ifNoneMatch !== null && want.ifNoneMatch === meta.etag;
  const sends = want.range === null || meta.status !== 200 ? 'whole' : 'range';
  return { meta, found, fetchedAt, notModified, sends, settle: () => nothing };
}

/**
 * One cache over the tier above it, as strict as CloudFront may be: it stores what was delivered in full and nothing else,
 * a range as that range only, nothing on HEAD. Simultaneous misses of a key are one fetch, unless the answer may not be stored.
 */
export function createCacheTier({ upstream, ttlOf, latencyMs, wait, now }: CacheTierOptions): CacheTier {
  const entries = new Map<string, Entry>();
  const flights = new Map<string, Flight>();

  function store(want: Want, source: Opened, ttl: number): () => void {
    const { meta, fetchedAt } = source;
    const expiresAt = fetchedAt + ttl;
    const old = entries.get(want.key);
    const current = old !== undefined && old.meta.etag === meta.etag && old.expiresAt > now() ? old : undefined;
    const range = source.sends === 'range' && want.range !== null ? resolveRange(want.range, meta.size) : null;
    if (range !== null && current !== undefined) {
      if (!current.whole) current.ranges.push(range);
      return () => void current.ranges.splice(current.ranges.indexOf(range), current.ranges.includes(range) ? 1 : 0);
    }
    const entry: Entry = { object: want.object, meta, whole: range === null, ranges: range === null ? [] : [range], fetchedAt, expiresAt };
    entries.set(want.key, entry);
    return () => {
      if (entries.get(want.key) === entry) entries.delete(want.key);
    };
  }

  function land(id: string, flight: Flight): void {
    flight.ended = true;
    if (flights.get(id) === flight) flights.delete(id);
  }

  function board(id: string, want: Want): Flight {
    const flight: Flight = { object: want.object, source: upstream.open(want), viewers: 0, ended: false, outdated: false };
    flights.set(id, flight);
    return flight;
  }

  /** The part of an answer that one viewer of a flight gets. The first delivery in full stores, the last abort gives up. */
  function share(id: string, flight: Flight, source: Opened, want: Want, neverStore: boolean): Opened {
    const ttl = source.notModified ? null : ttlOf(source.meta);
    const hasRange = source.sends === 'whole' || (want.range !== null && resolveRange(want.range, source.meta.size) !== null);
    const settle = (delivered: boolean) => {
      flight.viewers--;
      if (flight.ended || (!delivered && flight.viewers > 0)) return nothing;
      land(id, flight);
      source.settle(delivered);
      return delivered && hasRange && ttl !== null && !flight.outdated && !neverStore ? store(want, source, ttl) : nothing;
    };
    return { ...source, found: 'miss', settle };
  }

  async function fetch(want: Want, neverStore: boolean): Promise<Opened> {
    const id = flightId(want);
    const known = flights.get(id);
    const flight = known ?? board(id, want);
    flight.viewers++;
    let source: Opened;
    try {
      source = await flight.source;
    } catch (error) {
      land(id, flight);
      throw error;
    }
    if (source.notModified || ttlOf(source.meta) !== null) return share(id, flight, source, want, neverStore);
    if (flights.get(id) === flight) flights.delete(id);
    if (known === undefined) return share(id, flight, source, want, neverStore);
    flight.viewers--;
    const own: Flight = { object: want.object, source: upstream.open(want), viewers: 1, ended: false, outdated: false };
    return share(id, own, await own.source, want, neverStore);
  }

  async function revalidate(want: Want, entry: Entry, neverStore: boolean): Promise<Opened> {
    const source = await fetch({ ...want, ifNoneMatch: entry.meta.etag }, neverStore);
    if (!source.notModified) {
      if (entries.get(want.key) === entry) entries.delete(want.key);
      return source;
    }
    source.settle(true);
    entry.fetchedAt = source.fetchedAt;
    entry.expiresAt = source.fetchedAt + (ttlOf(entry.meta) ?? 0);
    return answerFrom(entry, 'refresh', want);
  }

  return {
    async open(want, { neverHit, neverStore } = NO_TREATMENT) {
      if (latencyMs > 0) await wait(latencyMs);
      const entry = neverHit ? undefined : entries.get(want.key);
      if (entry === undefined || !covers(entry, want.range)) return fetch(want, neverStore);
      if (entry.expiresAt > now()) return answerFrom(entry, 'hit', want);
      return entry.meta.etag === '' ? fetch(want, neverStore) : revalidate(want, entry, neverStore);
    },
    async head(want, { neverHit } = NO_TREATMENT) {
      if (latencyMs > 0) await wait(latencyMs);
      const entry = neverHit ? undefined : entries.get(want.key);
      if (entry?.whole && entry.expiresAt > now()) return { meta: entry.meta, found: 'hit', fetchedAt: entry.fetchedAt };
      return { ...(await upstream.head(want)), found: 'miss' };
    },
    invalidate(matches) {
      for (const [key, entry] of entries) if (matches(entry.object)) entries.delete(key);
      for (const [id, flight] of flights) {
        if (!matches(flight.object)) continue;
        flight.outdated = true;
        flights.delete(id);
      }
    },
  };
}
