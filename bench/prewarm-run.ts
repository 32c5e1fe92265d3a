import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EdgeCaches } from '../testing/nginx/edge-caches.ts';
import type { BenchContext } from './bench.ts';
import { type ProcessRun, runProcess } from './run-process.ts';

const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

export interface PrewarmJob {
  readonly edge: EdgeCaches;
  readonly urls: readonly string[];
  readonly pops: readonly string[];
  readonly flags?: readonly string[];
  /** The command before `run`; default: this node and cli/main.ts. */
  readonly command?: readonly [string, ...string[]];
  /** Home of the compile cache; default: one that all runs of the bench share. */
  readonly home?: string;
  /** Takes the place of the caches' own port: that of a proxy before them. */
  readonly edgePort?: number;
  readonly watch?: boolean;
}

interface Final {
  readonly status: string;
  readonly total_count: number;
  readonly download_count: number;
  readonly already_warm_count: number;
}

export interface PrewarmRun extends ProcessRun {
  readonly final: Final;
  /** Targets per second, from the start of the process to its exit. */
  readonly rate: number;
}

/** Runs `prewarm run` as a user would, proof on. Throws unless every target was done. */
export async function runPrewarm(context: BenchContext, job: PrewarmJob): Promise<PrewarmRun> {
  const list = join(context.dir, 'urls.csv');
  await writeFile(list, `url\n${job.urls.join('\n')}\n`);
  const [command, ...before] = job.command ?? [process.execPath, MAIN];
  const port = job.edgePort ?? job.edge.edgePort;
  const edgeFlags = job.edge.flags.map((flag, index, flags) => (flags[index - 1] === '--edge-port' ? String(port) : flag));
  const args = [...before, 'run', list, '--pops', job.pops.join(','), ...edgeFlags, '--json', ...(job.flags ?? [])];
  const home = job.home ?? join(context.dir, 'home');
  const env = { ...process.env, HOME: home, XDG_CACHE_HOME: join(home, '.cache') };
  const run = await runProcess(command, args, { env, ...(job.watch === true ? { watchPort: port } : {}) });
  const final = JSON.parse(run.stdout.trimEnd().split('\n').at(-1) ?? '') as Final;
  const expected = job.urls.length * job.pops.length;
  if (final.total_count !== expected || final.download_count !== expected) {
    throw new Error(`the run did ${final.download_count} of ${expected} targets: its time means nothing`);
  }
  return { ...run, final, rate: expected / run.seconds };
}
