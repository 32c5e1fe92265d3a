import type { Bench } from './bench.ts';
import { curlParallel, curlPerUrl } from './curl-rival.ts';
import { startBenchEdge } from './edge-setup.ts';
import { markdownTable, median, ratio, spread } from './figures.ts';
import { runPrewarm } from './prewarm-run.ts';

/** URLs that one curl process each is measured on: thousands would take minutes and say the same. */
const SAMPLED_URLS = 600;

export const smallHot: Bench = {
  name: 'small-hot',
  title: 'Small objects, every POP hot',
  async run(context) {
    const size = { urls: context.quick ? 50 : 1000, bytes: 1024, pops: 60 };
    const { edge, urls, pops } = await startBenchEdge(size, 'hot');
    const rates = { prewarm: [] as number[], parallel: [] as number[], perUrl: [] as number[] };
    try {
      await runPrewarm(context, { edge, urls: urls.slice(0, 3), pops: pops.slice(0, 3) });
      for (let round = 1; round <= context.rounds; round++) {
        context.say(`round ${round} of ${context.rounds}`);
        rates.prewarm.push((await runPrewarm(context, { edge, urls, pops })).rate);
        rates.parallel.push(await curlParallel(context, { edge, urls }));
        rates.perUrl.push(await curlPerUrl({ edge, urls: urls.slice(0, SAMPLED_URLS) }));
      }
    } finally {
      await edge.close();
    }
    const times = Math.round(median(rates.prewarm) / median(rates.perUrl));
    return `${size.urls} URLs of 1 KiB x ${size.pops} POPs. One curl process per URL: a rate over ${Math.min(SAMPLED_URLS, size.urls)} URLs.

${markdownTable(
  ['', 'targets/s', '`prewarm run` against it'],
  [
    ['`prewarm run`, whole, proof on', spread(rates.prewarm), ''],
    ['`curl --parallel --parallel-max 64`', spread(rates.parallel), `${ratio(rates.prewarm, rates.parallel)} of it (at least 0.8)`],
    ['one curl process per URL, 6 at a time', spread(rates.perUrl), `${times} times it (at least 30)`],
  ],
)}`;
  },
};
