import type { Answer } from '../ports/downloader.ts';
import { readServerTiming } from '../work/server-timing.ts';

/** On what connection the edge seems to have asked the origin. `unknown`: too little is known to tell. */
export type OriginConnection = 'new' | 'reused' | 'unknown';

/** Answers of one POP that first bytes are compared with. */
const COMPARED = 200;
/** Fewer say nothing about what is fast. */
const FEWEST = 5;
/** The fastest ones' upper end: the very fastest may have been answered by something else. */
const FAST_SHARE = 0.1;
/** A new connection costs one more round trip to the origin at the least, and the fastest answers took little else. */
const NEW_FROM = 1.5;
/** Below this, what the clock and the network wobble is more than a handshake. */
const LEAST_DIFFERENCE_MS = 2;

export interface OriginConnectionJudge {
  judge(answer: Answer): OriginConnection;
}

/**
 * Tells for the answers of one lane, given in order. The origin's own word (`x-connection: new|reused`) counts where it is
 * given, then CloudFront's (`cdn-upstream-connect` of `Server-Timing`: 0 is a connection that was used before). Otherwise the time beyond the round trip to the POP is compared with that of the fastest tenth of the latest 200
 * answers: 1.5 times as long and 2 ms more looks like a handshake. So it sees nothing where all connections are new, and
 * nothing where the origin's own work takes much longer than a handshake.
 */
export function createOriginConnectionJudge(): OriginConnectionJudge {
  const beyondEdge: number[] = [];
  let roundTripMs = Number.POSITIVE_INFINITY;
  return {
    judge({ xConnection, serverTiming = '', requestId = '', tcpMs = -1, ttfbMs }) {
      const said = xConnection?.trim().toLowerCase();
      if (said === 'new' || said === 'reused') return said;
      const { upstreamConnectMs } = readServerTiming(serverTiming, requestId);
      if (upstreamConnectMs >= 0) return upstreamConnectMs === 0 ? 'reused' : 'new';
      if (tcpMs >= 0) roundTripMs = Math.min(roundTripMs, tcpMs);
      const ms = Math.max(0, ttfbMs - (Number.isFinite(roundTripMs) ? roundTripMs : 0));
      beyondEdge.push(ms);
      if (beyondEdge.length > COMPARED) beyondEdge.shift();
      if (beyondEdge.length < FEWEST) return 'unknown';
      const fast = beyondEdge.toSorted((a, b) => a - b)[Math.floor(beyondEdge.length * FAST_SHARE)] ?? ms;
      return ms > fast * NEW_FROM && ms - fast > LEAST_DIFFERENCE_MS ? 'new' : 'reused';
    },
  };
}
