import type { EdgeAddress } from '../core/pops/address.ts';
import type { Answer, Ask, Downloader } from '../core/ports/downloader.ts';
import { unanswered } from '../core/work/unanswered.ts';

export interface ModelObject {
  readonly bytes: number;
  readonly cacheControl?: string;
  /** How many asks after a whole GET ended still miss. */
  readonly lag?: number;
  readonly neverStored?: boolean;
}

export interface ModelPopOptions {
  readonly pop: string;
  readonly addresses: readonly EdgeAddress[];
  readonly separate: boolean;
  readonly object: (url: string) => ModelObject;
  /** Replaces or changes the answer to the nth ask (from 0) of all. */
  readonly fault?: (ask: Ask, index: number) => Partial<Answer> | null;
  readonly settle?: () => Promise<void>;
}

export interface ModelPop extends Downloader {
  readonly asks: Ask[];
  /** Whether this address has the whole object, if only after a while. */
  holds(address: EdgeAddress, url: string): boolean;
  /** Puts only a range of the object into the address's cache. */
  storeRange(address: EdgeAddress, url: string): void;
  store(address: EdgeAddress, url: string): void;
}

export function modelAddresses(count: number): EdgeAddress[] {
  return Array.from({ length: count }, (_, index) => ({ ip: `192.0.2.${index + 1}`, port: 443, httpPort: 80 }));
}

/** A POP's caches, as a value: what is stored where, and what an ask does to it. */
export function createModelPop(options: ModelPopOptions): ModelPop {
  const whole = new Map<string, number>();
  const ranges = new Set<string>();
  const asks: Ask[] = [];
  const keyOf = (address: EdgeAddress, url: string) => (options.separate ? `${address.ip} ${url}` : url);

  function answerTo(ask: Ask): Answer {
    const object = options.object(ask.url);
    const key = keyOf(ask.address, ask.url);
    const lag = whole.get(key);
    const held = (lag !== undefined && lag <= 0) || (ask.byteAt !== undefined && ranges.has(key));
    if (lag !== undefined && lag > 0) whole.set(key, lag - 1);
    if (!held && !object.neverStored) {
      if (ask.byteAt === undefined && ask.method === 'GET') {
        if (lag === undefined) whole.set(key, object.lag ?? 0);
      } else if (ask.byteAt !== undefined) ranges.add(key);
    }
    return {
      error: null,
      status: ask.byteAt === undefined ? 200 : 206,
      xCache: held ? 'Hit from cloudfront' : 'Miss from cloudfront',
      servedBy: options.pop,
      etag: '"1"',
      contentEncoding: '',
      cacheControl: object.cacheControl ?? '',
      contentLength: ask.byteAt === undefined ? object.bytes : 1,
      rangeTotal: ask.byteAt === undefined ? -1 : object.bytes,
      bodyBytes: ask.byteAt === undefined ? object.bytes : 1,
      ttfbMs: held ? 5 : 200,
      totalMs: held ? 6 : 210,
    };
  }

  return {
    asks,
    holds: (address, url) => whole.has(keyOf(address, url)),
    store: (address, url) => whole.set(keyOf(address, url), 0),
    storeRange: (address, url) => ranges.add(keyOf(address, url)),
    async ask(ask) {
      const index = asks.push(ask) - 1;
      await options.settle?.();
      const fault = options.fault?.(ask, index) ?? null;
      if (fault?.error && fault.status === undefined) return { ...answerToNothing(), ...fault };
      const answer = { ...answerTo(ask), ...fault };
      ask.scope.bytes += answer.bodyBytes;
      return answer;
    },
    close: async () => {},
  };
}

function answerToNothing(): Answer {
  return unanswered('connection', 1);
}
