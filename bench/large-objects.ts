import type { Bench } from './bench.ts';
import { curlParallel } from './curl-rival.ts';
import { startBenchEdge } from './edge-setup.ts';
import { MIB, markdownTable, ratio, spread } from './figures.ts';
import { runPrewarm } from './prewarm-run.ts';

const OBJECT_BYTES = 64 * MIB;
/** Objects per second to MB/s. */
const megabytes = (rate: number) => (rate * OBJECT_BYTES) / 1e6;

export const largeObjects: Bench = {
  name: 'large-objects',
  title: 'Large objects',
  async run(context) {
    const size = { urls: context.quick ? 2 : 10, bytes: OBJECT_BYTES, pops: 10 };
    const { edge, urls, pops } = await startBenchEdge(size, 'hot');
    const ours: number[] = [];
    const curls: number[] = [];
    try {
      for (let round = 1; round <= context.rounds; round++) {
        context.say(`round ${round} of ${context.rounds}`);
        ours.push(megabytes((await runPrewarm(context, { edge, urls, pops })).rate));
        curls.push(megabytes(await curlParallel(context, { edge, urls })));
      }
    } finally {
      await edge.close();
    }
    return `${size.urls} URLs of 64 MiB x ${size.pops} POPs, hot.

${markdownTable(
  ['', 'MB/s', '`prewarm run` against it'],
  [
    ['`prewarm run`, whole, proof on', spread(ours), ''],
    ['`curl --parallel --parallel-max 64`', spread(curls), `${ratio(ours, curls)} of it (at least 0.9)`],
  ],
)}`;
  },
};
