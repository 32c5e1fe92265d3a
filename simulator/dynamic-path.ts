import type { OriginConnections } from './origin-connections.ts';
import type { AnswerMeta, Looked, Upstream, Want } from './upstream.ts';

export interface DynamicPathOptions {
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
    return kind;
  };
  const told = <T extends Looked>(looked: T, kind: string): T => {
    const meta: AnswerMeta = { ...looked.meta, headers: { ...looked.meta.headers, 'x-connection': kind } };
    return { ...looked, meta };
  };
  return {
    async open(want) {
      if (!isDynamic(want)) return cacheable.open(want);
      const kind = await travel();
      const opened = told(await origin.open(want), kind);
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
      const kind = await travel();
      const looked = told(await origin.head(want), kind);
      connections.giveBack();
      return looked;
    },
  };
}
