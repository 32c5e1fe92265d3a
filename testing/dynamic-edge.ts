import type { SimulatedEdgeOptions } from '../simulator/simulated-edge-options.ts';

export const HOST = 'api.example.com';
export const URL_OF_TIME = `https://${HOST}/time`;
export const ROUND_TRIP_MS = 60;

/** Two POPs of two servers each, far from the origin, whose idle connections end after five seconds. */
export const DYNAMIC: SimulatedEdgeOptions = {
  aliases: [HOST],
  pops: [
    { pop: 'HKG62-C1', addresses: 2, separateCaches: true },
    { pop: 'FRA56-P4', addresses: 2, separateCaches: true },
  ],
  objects: (path) => {
    if (path === '/broken') return { size: 5, status: 503 };
    return path.startsWith('/time') ? { size: 40, cacheControl: 'no-store' } : null;
  },
  originNetwork: { idleMs: 5000, tlsRoundTrips: 1, roundTripMs: () => ROUND_TRIP_MS },
};
/** Options of `prewarm keep-warm` for it. */
export const ROUTE = ['--host', HOST, '--path', '/time', '--pops', 'HKG62-C1,FRA56-P4'];
