import { resolveRange } from './byte-range.ts';
import type { AnswerMeta, Opened, Upstream, Want } from './upstream.ts';

/** One fetch from the tier above, shared by all who asked for the same while it lasted. */
interface Flight {
  readonly object: string;
  readonly source: Promise<Opened>;
  viewers: number;
  ended: boolean;
  /** An invalidation came meanwhile: what arrives is not stored. */
  outdated: boolean;
}

export interface CacheFlightsOptions {
  readonly upstream: Upstream;
  /** Milliseconds an answer stays fresh; null: not stored. */
  readonly ttlOf: (meta: AnswerMeta) => number | null;
  /** Keeps what was delivered in full. The function returned takes it back. */
  readonly store: (want: Want, source: Opened, ttlMs: number) => () => void;
}

/** What one cache is fetching now. */
export interface CacheFlights {
  fetch(want: Want, neverStore: boolean): Promise<Opened>;
  /** What is being fetched of the objects that `matches` is not stored. */
  invalidate(matches: (object: string) => boolean): void;
}

const nothing = () => undefined;
const flightId = ({ key, range, ifNoneMatch }: Want) => `${key}\n${range?.start ?? ''}-${range?.end ?? ''}\n${ifNoneMatch ?? ''}`;

/** Simultaneous misses of a key are one fetch, unless the answer may not be stored. */
export function createCacheFlights({ upstream, ttlOf, store }: CacheFlightsOptions): CacheFlights {
  const flights = new Map<string, Flight>();
  const take = (want: Want): Flight => ({
    object: want.object,
    source: upstream.open(want),
    viewers: 1,
    ended: false,
    outdated: false,
  });

  function leave(id: string, flight: Flight): void {
    if (flights.get(id) === flight) flights.delete(id);
  }

  /** The part of an answer that one viewer of a flight gets. The first delivery in full stores, the last abort gives up. */
  function share(id: string, flight: Flight, source: Opened, want: Want, neverStore: boolean): Opened {
    const ttl = source.notModified ? null : ttlOf(source.meta);
    const hasRange = source.sends === 'whole' || (want.range !== null && resolveRange(want.range, source.meta.size) !== null);
    const settle = (delivered: boolean) => {
      flight.viewers--;
      if (flight.ended || (!delivered && flight.viewers > 0)) return nothing;
      flight.ended = true;
      leave(id, flight);
      source.settle(delivered);
      return delivered && hasRange && ttl !== null && !flight.outdated && !neverStore ? store(want, source, ttl) : nothing;
    };
    return { ...source, found: 'miss', settle };
  }

  async function board(id: string, want: Want): Promise<{ flight: Flight; source: Opened; isOwn: boolean }> {
    const known = flights.get(id);
    const flight = known ?? take(want);
    if (known === undefined) flights.set(id, flight);
    else flight.viewers++;
    try {
      return { flight, source: await flight.source, isOwn: known === undefined };
    } catch (error) {
      flight.ended = true;
      leave(id, flight);
      throw error;
    }
  }

  return {
    async fetch(want, neverStore) {
      const id = flightId(want);
      const { flight, source, isOwn } = await board(id, want);
      if (source.notModified || ttlOf(source.meta) !== null) return share(id, flight, source, want, neverStore);
      leave(id, flight);
      if (isOwn) return share(id, flight, source, want, neverStore);
      flight.viewers--;
      const own = take(want);
      return share(id, own, await own.source, want, neverStore);
    },
    invalidate(matches) {
      for (const [id, flight] of flights) {
        if (!matches(flight.object)) continue;
        flight.outdated = true;
        flights.delete(id);
      }
    },
  };
}
