import type { Clock } from '../../core/clock.ts';
import { InvalidInput } from '../../core/errors.ts';
import type { KeepWarmRoute } from '../../core/keep-warm/route.ts';
import type { Log } from '../../core/ports/log.ts';

/** A secret that was changed is in use after this. */
const ROUTES_FOR_MS = 10 * 60_000;
/** And one that was taken away is in use no longer than this after that. */
const GO_ON_MS = 60 * 60_000;

export interface RouteSource {
  /** Throws InvalidInput where the routes are wrong, and PrewarmError where they cannot be read. */
  readonly read: () => Promise<readonly KeepWarmRoute[]>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'error'>;
}

/**
 * Keeps the routes for ten minutes. When they cannot be read again after that, the known ones go on for an hour, and each run tries anew:
 * a fault of the service that keeps the secret is no reason to lose connections. Routes that have become wrong are told at once.
 */
export function createRouteMemory({ read, clock, log }: RouteSource): () => Promise<readonly KeepWarmRoute[]> {
  let known: { readonly routes: readonly KeepWarmRoute[]; readonly until: number } | null = null;
  return async () => {
    if (known !== null && clock.now() < known.until) return known.routes;
    try {
      known = { routes: await read(), until: clock.now() + ROUTES_FOR_MS };
    } catch (error) {
      if (known === null || error instanceof InvalidInput || clock.now() >= known.until + GO_ON_MS) throw error;
      log.error({ err: error }, 'the routes cannot be read again; those of before are kept warm');
    }
    return known.routes;
  };
}
