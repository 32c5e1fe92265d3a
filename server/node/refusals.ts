import { isIP } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { RefusedRequest } from '../app/api-deps.ts';
import type { Log } from '../../core/ports/log.ts';

/** Wrong keys of one source that are answered at once. */
const FREE_WRONG_KEYS = 10;
/** From then on its wrong keys are answered one in so long, all its connections together. */
const PAUSE_MS = 1000;
const MAX_PAUSE_MS = 10_000;
const FORGET_MS = 10 * 60_000;
const MAX_SOURCES = 10_000;
const LOG_EVERY_MS = 1000;
const MAX_SOURCES_TOLD = 10;

/** What becomes of requests without a right key: they are logged, and wrong keys are slowed down. */
export interface Refusals {
  /** The answer waits for it. A right key never does, whoever else asks from the same address. */
  refused(request: RefusedRequest): Promise<void>;
  /** Logs what was only counted. */
  close(): void;
}

interface Platform {
  readonly incoming?: { readonly socket: { readonly remoteAddress?: string | undefined } };
}

/** Who asked: the peer, or whom the proxy before the server names last. */
export function addressOf(request: Request, platform: unknown, trustProxy: boolean): string {
  const peer = (platform as Platform | undefined)?.incoming?.socket.remoteAddress ?? '';
  const named = trustProxy ? (request.headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() ?? '') : '';
  return isIP(named) === 0 ? peer : named;
}

/** One user has a whole /64 of IPv6. */
function sourceOf(address: string): string {
  if (isIP(address) !== 6 || address.startsWith('::ffff:')) return address;
  return (address.split('::')[0] ?? '').split(':').slice(0, 4).join(':');
}

export function createRefusals(
  log: Pick<Log, 'info'>,
  { trustProxy, pauseMs = PAUSE_MS }: { readonly trustProxy: boolean; readonly pauseMs?: number },
): Refusals {
  const sources = new LRUCache<string, { wrong: number; freeAt: number }>({ max: MAX_SOURCES, ttl: FORGET_MS });
  let further = 0;
  let told = new Set<string>();
  let timer: NodeJS.Timeout | null = null;

  function flush(): void {
    timer = null;
    if (further === 0) return;
    log.info({ count: further, from: [...told] }, 'answered further requests without a right key');
    openWindow();
  }

  function openWindow(): void {
    further = 0;
    told = new Set();
    timer = setTimeout(flush, LOG_EVERY_MS).unref();
  }

  function record({ method, route, status, ms }: RefusedRequest, from: string): void {
    if (timer === null) {
      log.info({ method, route, status, ms, from }, 'answered');
      openWindow();
      return;
    }
    further += 1;
    if (told.size < MAX_SOURCES_TOLD) told.add(from);
  }

  /** Milliseconds that this wrong key has to wait for its answer. */
  function waitOf(from: string): number {
    const source = sourceOf(from);
    const known = sources.get(source) ?? { wrong: 0, freeAt: 0 };
    sources.set(source, known);
    known.wrong += 1;
    if (known.wrong <= FREE_WRONG_KEYS) return 0;
    const now = performance.now();
    const wait = Math.min(MAX_PAUSE_MS, Math.max(0, known.freeAt - now) + pauseMs);
    known.freeAt = now + wait;
    return wait;
  }

  return {
    async refused(refused) {
      const { request, platform, status } = refused;
      const from = addressOf(request, platform, trustProxy);
      record(refused, from);
      const isGuess = status === 403 && (request.headers.get('x-api-key') ?? '') !== '';
      const wait = isGuess ? waitOf(from) : 0;
      if (wait > 0) await pause(wait, undefined, { ref: false });
    },
    close() {
      if (timer !== null) clearTimeout(timer);
      flush();
      if (timer !== null) clearTimeout(timer);
    },
  };
}
