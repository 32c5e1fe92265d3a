import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Bench } from './bench.ts';
import { startBenchEdge } from './edge-setup.ts';
import { markdownTable } from './figures.ts';
import { runPrewarm } from './prewarm-run.ts';

async function countLines(file: string): Promise<number> {
  let lines = 0;
  for await (const _ of createInterface({ input: createReadStream(file) })) lines += 1;
  return lines;
}

const megabytes = (peaks: ReadonlyMap<number, number>) => Math.round(Math.max(0, ...peaks.values()) / 1e6);

export const manyTargets: Bench = {
  name: 'many-targets',
  title: '200,000 targets',
  async run(context) {
    const sizes = context.quick ? [20, 100] : [400, 4000];
    const rows: (string | number)[][] = [];
    for (const urls of sizes) {
      const bench = await startBenchEdge({ urls, bytes: 1024, pops: 50 }, 'hot');
      try {
        context.say(`${urls * 50} targets`);
        const report = join(context.dir, 'report.csv');
        const run = await runPrewarm(context, { ...bench, watch: true, flags: ['--out', report] });
        const reported = (await countLines(report)) - 1;
        if (run.peaks === null || reported !== urls * 50) throw new Error(`the report has ${reported} rows of ${urls * 50}`);
        const { agents, others } = run.peaks;
        rows.push([
          (urls * 50).toLocaleString('en-US'),
          reported.toLocaleString('en-US'),
          megabytes(agents),
          megabytes(others),
          Math.round(run.rate),
        ]);
      } finally {
        await bench.edge.close();
      }
    }
    return `1 KiB objects x 50 POPs, hot, with a report. Peak resident memory in MB (10^6 bytes); it must not grow with the number of targets. One run each.

${markdownTable(['targets', 'rows in the report', 'largest agent (at most 220)', 'the rest (at most 200)', 'targets/s'], rows)}`;
  },
};
