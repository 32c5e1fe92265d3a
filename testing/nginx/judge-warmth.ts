import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressState, EdgeCaches, LoggedRequest } from './edge-caches.ts';

/** A URL that was to be warmed, and its object's length. */
export interface WantedObject {
  readonly url: string;
  readonly bytes: number;
}

const pathOf = (url: string) => {
  const { pathname, search } = new URL(url);
  return `${pathname}${search}`;
};

const isWholeGet = (asked: LoggedRequest, bytes: number) =>
  asked.method === 'GET' && asked.range === '' && asked.status >= 200 && asked.status < 300 && asked.complete && asked.bodyBytes === bytes;

const isHit = (state: AddressState, bytes: number) =>
  state.status === 200 && state.xCache === 'Hit from cloudfront' && state.servedBy === state.pop && state.bytes === bytes;

/**
 * What speaks against every cache being warm for every object, judged without the program's help: by asking each address,
 * and by the caches' own logs, which must show per cache and object a GET without Range, answered 2xx and delivered
 * in full. Empty: nothing does.
 */
export async function judgeWarmth(edge: EdgeCaches, wanted: readonly WantedObject[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { url, bytes } of wanted) {
    for (const state of await edge.state(url)) {
      if (!isHit(state, bytes)) faults.push(`${state.pop} ${state.address} ${url}: ${state.status} ${state.xCache}, ${state.bytes} bytes`);
    }
  }
  const { edge: asked } = await settledLogs(edge);
  for (const { url, bytes } of wanted) {
    const path = pathOf(url);
    for (const cache of edge.caches) {
      const whole = asked.some((entry) => entry.cache === cache.name && entry.uri === path && isWholeGet(entry, bytes));
      if (!whole) faults.push(`${cache.name} ${url}: no whole GET in the log`);
    }
  }
  return faults;
}

/** The logs, once two readings agree: a line is written a moment after the delivery that it tells of. */
async function settledLogs(edge: EdgeCaches) {
  for (let before = -1; ; ) {
    const logs = await edge.readLogs();
    if (logs.edge.length === before) return logs;
    before = logs.edge.length;
    await sleep(50);
  }
}
