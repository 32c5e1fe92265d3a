import type { Bench, BenchContext } from './bench.ts';
import { curlParallel } from './curl-rival.ts';
import { type BenchEdge, startBenchEdge } from './edge-setup.ts';
import { markdownTable, ratio, spread } from './figures.ts';
import { runPrewarm } from './prewarm-run.ts';

async function onColdCaches(context: BenchContext, measure: (bench: BenchEdge) => Promise<number>): Promise<number> {
  const bench = await startBenchEdge({ urls: context.quick ? 20 : 1000, bytes: 1024, pops: 60 }, 'cold');
  try {
    return await measure(bench);
  } finally {
    await bench.edge.close();
  }
}

export const smallCold: Bench = {
  name: 'small-cold',
  title: 'Small objects, every POP cold',
  async run(context) {
    const ours: number[] = [];
    const curls: number[] = [];
    for (let round = 1; round <= context.rounds; round++) {
      context.say(`round ${round} of ${context.rounds}`);
      ours.push(await onColdCaches(context, async (bench) => (await runPrewarm(context, bench)).rate));
      curls.push(await onColdCaches(context, (bench) => curlParallel(context, bench)));
    }
    return `${context.quick ? 20 : 1000} URLs of 1 KiB x 60 POPs, fresh caches for every run. curl downloads each target once (a miss); \`prewarm run\` downloads it and then checks that the cache holds it.

${markdownTable(
  ['', 'targets/s', '`prewarm run` against it'],
  [
    ['`prewarm run`, whole, proof on: miss, then check', spread(ours), ''],
    ['`curl --parallel --parallel-max 64`: miss only', spread(curls), `${ratio(ours, curls)} of it (at least 0.4)`],
  ],
)}`;
  },
};
