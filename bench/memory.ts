import type { Bench, BenchContext } from './bench.ts';
import { startBenchEdge } from './edge-setup.ts';
import { MIB, markdownTable } from './figures.ts';
import { runPrewarm } from './prewarm-run.ts';
import { startDelayProxy } from './start-delay-proxy.ts';

const IN_FLIGHT = [64, 128, 512];
const POPS = 60;

const most = (peaks: ReadonlyMap<number, number>) => Math.round(Math.max(0, ...peaks.values()) / 1e6);

async function measure(context: BenchContext, inFlight: number, kind: 'small' | 'large'): Promise<(string | number)[]> {
  // Every place in flight is filled at least once by large objects, many times by small ones.
  const wanted = kind === 'large' ? inFlight : context.quick ? 2_000 : 60_000;
  const size = { urls: Math.ceil(wanted / POPS) + 1, bytes: kind === 'large' ? 64 * MIB : 1024, pops: POPS };
  // One nginx worker with hundreds of large answers lets some wait past the stall time-out: each gets its share instead.
  const pace = kind === 'large' && inFlight > 128 ? { limitRate: '1500k' } : {};
  const { edge, urls, pops } = await startBenchEdge(size, 'hot', pace);
  try {
    // Answers of a near server are over too soon for hundreds to be in flight.
    const proxy = kind === 'small' ? await startDelayProxy(edge, 100) : null;
    try {
      const flags = ['--agents', '1', '--concurrency', String(inFlight)];
      const job = { edge, urls, pops, flags, watch: true, edgePort: proxy?.port ?? edge.edgePort };
      const { peaks } = await runPrewarm(context, job);
      if (peaks === null) throw new Error('nothing was watched');
      const bound = inFlight <= 128 ? 150 : 220;
      return [kind === 'large' ? '64 MiB' : '1 KiB', inFlight, peaks.connections, most(peaks.agents), bound, most(peaks.others), 200];
    } finally {
      await proxy?.close();
    }
  } finally {
    await edge.close();
  }
}

export const memory: Bench = {
  name: 'memory',
  title: 'Memory',
  async run(context) {
    const rows: (string | number)[][] = [];
    for (const kind of ['small', 'large'] as const) {
      for (const inFlight of context.quick && kind === 'large' ? [64] : IN_FLIGHT) {
        context.say(`${kind}, ${inFlight} in flight`);
        rows.push(await measure(context, inFlight, kind));
      }
    }
    const head = ['object', 'in flight (`--concurrency`)', 'connections up, idle ones included', 'agent', 'at most', 'the rest', 'at most'];
    return `Peak resident memory (VmHWM) in MB (10^6 bytes), one agent, ${POPS} POPs, hot. One run each: a peak, not a rate.\n\n${markdownTable(head, rows)}`;
  },
};
