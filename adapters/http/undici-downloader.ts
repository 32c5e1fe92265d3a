import { isPublicAddress } from '../../core/pops/address-policy.ts';
import type { Ask, Downloader } from '../../core/ports/downloader.ts';
import type { Header } from '../../core/request/request.ts';
import { unanswered } from '../../core/work/unanswered.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { type ConnectionPool, createConnectionPool, type EdgeConnection, type PoolEvents, type PoolLimits } from './connection-pool.ts';
import { createTlsState, type EdgeOrigin } from './edge-socket.ts';
import { type AskMessage, Exchange } from './exchange.ts';
import { MAX_IN_FLIGHT } from '../../core/work/lanes.ts';

export interface UndiciDownloaderOptions {
  /** Trusted roots (PEM) instead of the well-known ones. Absent or null: those. */
  readonly ca?: string | null;
  readonly allowPrivateAddresses: boolean;
  /** For a connection to stand, TLS included. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** From sending to the response's headers. Default 30,000 where the ask names none, and at most 10,000 for a HEAD; like the next, up to a second late (undici's timers are coarse). */
  readonly headersTimeoutMs?: number;
  /** Longest pause within a body. Default 15,000. */
  readonly stallTimeoutMs?: number;
  /** From asking to the end. Default: none. */
  readonly totalTimeoutMs?: number;
  /** Per address and origin; further asks wait. Default: as many as an agent has downloads in flight. */
  readonly maxConnectionsPerAddress?: number;
  /** Idle connections of all addresses together; the longest idle are closed beyond it. Default 128 (each costs about 100 KB). */
  readonly maxIdleConnections?: number;
}

/** A HEAD only asks for a size, which may stay unknown. */
const HEAD_TIMEOUT_MS = 10_000;

const DEFAULT_HEADERS: readonly Header[] = [
  ['user-agent', `cloudfront-prewarm/${packageJson.version}`],
  ['accept', '*/*'],
];

/** undici's flat form, with our defaults where the request names none. */
function flatten(headers: readonly Header[]): string[] {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  return [...DEFAULT_HEADERS.filter(([name]) => !given.has(name)), ...headers].flat();
}

/** Turns asks into what goes over the wire; a variant's headers are turned once. */
function createMessageBuilder({ headersTimeoutMs, stallTimeoutMs }: PoolLimits): (ask: Ask, path: string) => AskMessage {
  const flat = new WeakMap<readonly Header[], string[]>();
  return (ask, path) => {
    let headers = flat.get(ask.headers);
    if (headers === undefined) {
      headers = flatten(ask.headers);
      flat.set(ask.headers, headers);
    }
    if (ask.byteAt !== undefined) headers = [...headers, 'range', `bytes=${ask.byteAt}-${ask.byteAt}`];
    const patienceMs = ask.firstByteMs ?? headersTimeoutMs;
    const headersTimeout = ask.method === 'HEAD' ? Math.min(patienceMs, HEAD_TIMEOUT_MS) : patienceMs;
    // reset: undici would close the connection after every HEAD.
    return { path, method: ask.method, headers, reset: false, headersTimeout, bodyTimeout: stallTimeoutMs };
  };
}

function parseTarget(ask: Ask, origin: string): EdgeOrigin {
  const secure = origin.startsWith('https:');
  const host = new URL(origin).hostname;
  return {
    secure,
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    ip: ask.address.ip,
    port: secure ? ask.address.port : ask.address.httpPort,
  };
}

/** Closes the longest idle connection whenever there are more than `maximum`. */
function createIdleLimit(maximum: number): Pick<PoolEvents, 'idle' | 'notIdle'> {
  const pools = new Map<EdgeConnection, ConnectionPool>();
  return {
    idle(pool, connection) {
      pools.set(connection, pool);
      if (pools.size <= maximum) return;
      for (const [longestIdle, owner] of pools) {
        owner.discard(longestIdle);
        return;
      }
    },
    notIdle: (connection) => pools.delete(connection),
  };
}

/**
 * Downloads over HTTP/1.1 from pinned addresses; Host and SNI are those of the URL, ports those of the address.
 * `ask` rejects only for a URL or header that was never valid. After `close`, and for asks it cuts off, answers are `cancelled`.
 */
export function createUndiciDownloader(options: UndiciDownloaderOptions): Downloader {
  const limits: PoolLimits = {
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    headersTimeoutMs: options.headersTimeoutMs ?? 30_000,
    stallTimeoutMs: options.stallTimeoutMs ?? 15_000,
    maxConnections: options.maxConnectionsPerAddress ?? MAX_IN_FLIGHT,
  };
  const tls = createTlsState(options.ca ?? undefined);
  const idleLimit = createIdleLimit(options.maxIdleConnections ?? 128);
  const pools = new Map<string, ConnectionPool>();
  const buildMessage = createMessageBuilder(limits);
  let closed = false;

  const openPool = (key: string, origin: string, target: EdgeOrigin) => {
    const pool = createConnectionPool(origin, target, tls, limits, { ...idleLimit, empty: () => pools.delete(key) });
    pools.set(key, pool);
    return pool;
  };

  return {
    ask(ask) {
      if (closed || ask.scope.cancelled) return Promise.resolve(unanswered('cancelled'));
      const slash = ask.url.indexOf('/', 8);
      const origin = ask.url.slice(0, slash);
      const key = `${origin} ${ask.address.ip} ${origin.startsWith('https:') ? ask.address.port : ask.address.httpPort}`;
      let pool = pools.get(key);
      if (pool === undefined) {
        if (!options.allowPrivateAddresses && !isPublicAddress(ask.address.ip)) return Promise.resolve(unanswered('address_refused'));
        pool = openPool(key, origin, parseTarget(ask, origin));
      }
      const usedPool = pool;
      const message = buildMessage(ask, ask.url.slice(slash));
      return new Promise((resolve, reject) => {
        usedPool.run(new Exchange(ask, message, usedPool, resolve, reject, options.totalTimeoutMs));
      });
    },
    async close() {
      closed = true;
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
  };
}
