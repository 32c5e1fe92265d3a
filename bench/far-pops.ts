import type { Bench, BenchContext } from './bench.ts';
import { curlParallel } from './curl-rival.ts';
import { type BenchEdge, startBenchEdge } from './edge-setup.ts';
import { markdownTable, spread } from './figures.ts';
import { runPrewarm } from './prewarm-run.ts';
import { startDelayProxy } from './start-delay-proxy.ts';

const ROUND_TRIP_MS = 100;

async function behindProxy<T>(
  context: BenchContext,
  state: 'hot' | 'cold',
  roundTripMs: number,
  measure: (bench: BenchEdge, port: number) => Promise<T>,
): Promise<T> {
  const bench = await startBenchEdge({ urls: context.quick ? 100 : 500, bytes: 1024, pops: 60 }, state);
  try {
    const proxy = await startDelayProxy(bench.edge, roundTripMs);
    try {
      return await measure(bench, proxy.port);
    } finally {
      await proxy.close();
    }
  } finally {
    await bench.edge.close();
  }
}

export const farPops: Bench = {
  name: 'far-pops',
  title: 'Far POPs',
  async run(context) {
    const rates = { hot: [] as number[], cold: [] as number[], carried: [] as number[] };
    const one = (bench: BenchEdge, edgePort: number) => runPrewarm(context, { ...bench, edgePort, flags: ['--agents', '1'] });
    for (let round = 1; round <= context.rounds; round++) {
      context.say(`round ${round} of ${context.rounds}`);
      for (const state of ['hot', 'cold'] as const) {
        rates[state].push(await behindProxy(context, state, ROUND_TRIP_MS, async (bench, port) => (await one(bench, port)).rate));
      }
      rates.carried.push(await behindProxy(context, 'hot', 0, (bench, edgePort) => curlParallel(context, { ...bench, edgePort })));
    }
    return `${context.quick ? 100 : 500} URLs of 1 KiB x 60 POPs, one agent, ${ROUND_TRIP_MS} ms of round trip added by a TCP proxy in a process of its own.

${markdownTable(
  ['', 'targets/s', 'wanted'],
  [
    ['`prewarm run --agents 1`, hot', spread(rates.hot), 'at least 1,500'],
    ['`prewarm run --agents 1`, cold', spread(rates.cold), 'at least 750'],
    ['the proxy without a delay, `curl --parallel-max 64` (what it can carry)', spread(rates.carried), 'well above both'],
  ],
)}`;
  },
};
