import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, BenchContext } from './bench.ts';
import { startBenchEdge } from './edge-setup.ts';
import { markdownTable } from './figures.ts';
import { watchPeaks } from './process-peaks.ts';
import { type ServedApi, serveFlags, startServedApi } from './served-api.ts';
import { startDelayProxy } from './start-delay-proxy.ts';

const REQUESTS = [10, 100, 200];
/** Of each request: more than agents hold at a time, less than would keep the bench for minutes. */
const SIZE = { urls: 50, bytes: 1024, pops: 20 };
const ROUND_TRIP_MS = 20;

interface Share {
  /** When its tasks were first seen to be on the queue; null: not yet. */
  queuedAt: number | null;
  /** When it was first seen to have progress; null: none yet. */
  begunAt: number | null;
  done: number;
  ended: boolean;
}

interface Fairness {
  /** From its tasks being on the queue to its first progress, of the request that waited longest. */
  readonly longestWaitMs: number;
  /** Requests that had progress when the first one of all ended. */
  readonly begun: number;
  readonly seconds: number;
}

async function submitAll(served: ServedApi, count: number, body: object): Promise<readonly { readonly id: string; readonly at: number }[]> {
  const requests: { id: string; at: number }[] = [];
  for (let request = 0; request < count; request++) {
    const at = performance.now();
    requests.push({ id: (await served.submit(body)).id, at });
  }
  return requests;
}

async function watchAll(served: ServedApi, requests: readonly { readonly id: string; readonly at: number }[]): Promise<Fairness> {
  const start = requests[0]?.at ?? 0;
  const shares = requests.map((): Share => ({ queuedAt: null, begunAt: null, done: 0, ended: false }));
  let begun: number | null = null;
  while (shares.some((share) => !share.ended)) {
    for (const [index, { id }] of requests.entries()) {
      const share = shares[index];
      if (share === undefined || share.ended) continue;
      const { status, download_count: counted, provisional_count: ahead } = await served.progress(id);
      share.done = counted + ahead;
      share.ended = status === 'FINISHED';
      if (share.ended || status === 'IN_PROGRESS') share.queuedAt ??= performance.now();
      if (share.done > 0) share.begunAt ??= performance.now();
    }
    if (shares.some((share) => share.ended)) begun ??= shares.filter(({ done }) => done > 0).length;
    await sleep(250);
  }
  return {
    longestWaitMs: Math.max(...shares.map(({ queuedAt, begunAt }) => (begunAt ?? 0) - (queuedAt ?? 0))),
    begun: begun ?? 0,
    seconds: (performance.now() - start) / 1000,
  };
}

async function measure(context: BenchContext, count: number): Promise<readonly (string | number)[]> {
  const bench = await startBenchEdge(SIZE, 'hot');
  const proxy = await startDelayProxy(bench.edge, ROUND_TRIP_MS);
  const served = await startServedApi(context, serveFlags(bench.edge, proxy.port), `requests-${count}`);
  const peaks = watchPeaks(served.pid, proxy.port);
  try {
    const requests = await submitAll(served, count, { url_list: bench.urls, pops: bench.pops, cf_domain: bench.edge.host });
    const { longestWaitMs, begun, seconds } = await watchAll(served, requests);
    await peaks.stop();
    const most = (of: ReadonlyMap<number, number>) => Math.round(Math.max(0, ...of.values()) / 1e6);
    const rate = Math.round((count * SIZE.urls * SIZE.pops) / seconds);
    return [
      count,
      rate,
      seconds.toFixed(1),
      (longestWaitMs / 1000).toFixed(1),
      `${begun} of ${count}`,
      most(peaks.others),
      most(peaks.agents),
    ];
  } finally {
    await served.close();
    await proxy.close();
    await bench.edge.close();
  }
}

export const manyRequests: Bench = {
  name: 'many-requests',
  title: 'Many requests at once',
  async run(context) {
    const rows: (readonly (string | number)[])[] = [];
    for (const count of context.quick ? [10] : REQUESTS) {
      context.say(`${count} requests`);
      rows.push(await measure(context, count));
    }
    const head = [
      'requests',
      'targets/s',
      'all ended after, s',
      'longest from queued to first progress, s',
      'in progress when the first ended',
      'server, MB',
      'largest agent, MB',
    ];
    const about = `${SIZE.urls * SIZE.pops} targets each, posted one after the other, at an edge of ${ROUND_TRIP_MS} ms round trip. Nobody waits for another's end: one after another, the last would wait in the queue until all others have ended. Memory must not grow with the number of requests. One run each.`;
    return `${about}\n\n${markdownTable(head, rows)}`;
  },
};
