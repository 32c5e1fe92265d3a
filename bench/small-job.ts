import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { EdgeCaches } from '../testing/nginx/edge-caches.ts';
import type { Bench, BenchContext } from './bench.ts';
import { type BenchEdge, startBenchEdge } from './edge-setup.ts';
import { markdownTable, median } from './figures.ts';
import { type PrewarmJob, runPrewarm } from './prewarm-run.ts';

interface Times {
  readonly exit: number[];
  readonly firstDownload: number[];
}

async function firstGetAfter(edge: EdgeCaches, startedAt: number): Promise<number> {
  const { edge: asked } = await edge.readLogs();
  const downloads = asked.filter((entry) => entry.method === 'GET' && entry.startedAt >= startedAt);
  return Math.min(...downloads.map((entry) => entry.startedAt));
}

async function measureInto(times: Times, context: BenchContext, job: PrewarmJob): Promise<void> {
  const run = await runPrewarm(context, job);
  times.exit.push(run.seconds);
  times.firstDownload.push(((await firstGetAfter(job.edge, run.startedAt)) - run.startedAt) / 1000);
}

async function measureRounds(context: BenchContext, bench: BenchEdge) {
  const empty = (): Times => ({ exit: [], firstDownload: [] });
  const times = { first: empty(), second: empty(), npx: empty() };
  for (let round = 1; round <= context.rounds; round++) {
    context.say(`round ${round} of ${context.rounds}`);
    const home = await mkdtemp(join(context.dir, 'home-'));
    await measureInto(times.first, context, { ...bench, home });
    await measureInto(times.second, context, { ...bench, home });
    await measureInto(times.npx, context, { ...bench, home, command: ['npx', '--no-install', 'prewarm'] });
  }
  return times;
}

export const smallJob: Bench = {
  name: 'small-job',
  title: 'A job of 3 URLs x 3 POPs',
  async run(context) {
    const bench = await startBenchEdge({ urls: 3, bytes: 1024, pops: 3 }, 'hot', { log: true });
    try {
      const times = await measureRounds(context, bench);
      const seconds = (values: readonly number[]) => median(values).toFixed(2);
      const row = (name: string, { exit, firstDownload }: Times, wanted: string) => [name, seconds(firstDownload), seconds(exit), wanted];
      return `Seconds from the start of the process: to the first download as the server logged it, and to the exit.

${markdownTable(
  ['', 'first download', 'exit', 'wanted'],
  [
    row('`node cli/main.ts`, first run (empty compile cache)', times.first, ''),
    row('`node cli/main.ts`, second run', times.second, 'first download within 0.7, exit within 2'),
    row('`npx prewarm`, third run', times.npx, ''),
  ],
)}`;
    } finally {
      await bench.edge.close();
    }
  },
};
