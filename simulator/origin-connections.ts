import type { AnswerMeta, Looked, Upstream, Want } from './upstream.ts';

/** A connection from a place of the edge to the origin. */
interface OriginConnection {
  /** Round trips before the request can go out on it: none where it was used before. */
  readonly handshakes: number;
  readonly kind: 'new' | 'reused';
}

/** What is kept open from one place of the edge to the origin. Works on any clock, and knows nothing of sockets. */
export interface OriginConnections {
  /** The connection used last, unless it has been idle too long; else a new one. */
  take(): OriginConnection;
  /** An answer came whole over a connection: it stays open, idle from now on. */
  giveBack(): void;
}

/** How connections to the origin behave. */
export interface OriginNetwork {
  /** An idle connection is closed after so long: 5,000 by CloudFront's default, up to 60,000 without asking AWS. */
  readonly idleMs: number;
  /** Round trips of a TLS handshake: 1 (TLS 1.3) or 2 (TLS 1.2); 0: plain HTTP. */
  readonly tlsRoundTrips: number;
  /** From the POP to the origin and back, milliseconds. */
  readonly roundTripMs: (pop: string) => number;
}

const TCP_ROUND_TRIPS = 1;

export function createOriginConnections({ idleMs, tlsRoundTrips }: Pick<OriginNetwork, 'idleMs' | 'tlsRoundTrips'>, now: () => number) {
  /** When each became idle; the last is the youngest. */
  let idleSince: number[] = [];
  const connections: OriginConnections = {
    take() {
      const since = idleSince.pop();
      if (since !== undefined && now() - since < idleMs) return { handshakes: 0, kind: 'reused' };
      // The others have been idle for longer.
      idleSince = [];
      return { handshakes: TCP_ROUND_TRIPS + tlsRoundTrips, kind: 'new' };
    },
    giveBack: () => void idleSince.push(now()),
  };
  return connections;
}

interface DynamicPathOptions {
  /** Where requests for what may be cached go. */
  readonly cacheable: Upstream;
  readonly origin: Upstream;
  readonly isDynamic: (want: Want) => boolean;
  readonly connections: OriginConnections;
  readonly roundTripMs: number;
  readonly wait: (ms: number) => Promise<void>;
}

/**
 * What a POP's misses go to where connections to the origin are simulated: what may not be cached goes to the origin itself, past
 * the regional caches and over a connection of the POP's own, and is answered with the origin's `x-connection: new|reused`.
 */
export function createDynamicPath(options: DynamicPathOptions): Upstream {
  const { cacheable, origin, isDynamic, connections, roundTripMs, wait } = options;
  const travel = async () => {
    const { kind, handshakes } = connections.take();
    await wait((handshakes + 1) * roundTripMs);
    return { kind, connectMs: handshakes * roundTripMs };
  };
  const marked = <T extends Looked>(looked: T, { kind, connectMs }: Awaited<ReturnType<typeof travel>>): T => {
    const meta: AnswerMeta = { ...looked.meta, headers: { ...looked.meta.headers, 'x-connection': kind } };
    return { ...looked, meta, source: { ...looked.source, connectMs } };
  };
  return {
    async open(want) {
      if (!isDynamic(want)) return cacheable.open(want);
      const way = await travel();
      const opened = marked(await origin.open(want), way);
      return {
        ...opened,
        settle(delivered) {
          connections.giveBack();
          return opened.settle(delivered);
        },
      };
    },
    async head(want) {
      if (!isDynamic(want)) return cacheable.head(want);
      const way = await travel();
      const looked = marked(await origin.head(want), way);
      connections.giveBack();
      return looked;
    },
  };
}
