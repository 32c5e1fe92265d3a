import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nginxAvailable } from '../testing/nginx/edge-caches.ts';
import type { Bench, BenchContext } from './bench.ts';
import { coldStart } from './cold-start.ts';
import { cost } from './cost.ts';
import { farPops } from './far-pops.ts';
import { keepWarm } from './keep-warm.ts';
import { largeObjects } from './large-objects.ts';
import { describeMachine } from './machine.ts';
import { manyRequests } from './many-requests.ts';
import { manyTargets } from './many-targets.ts';
import { memory } from './memory.ts';
import { serve } from './serve.ts';
import { smallCold } from './small-cold.ts';
import { smallHot } from './small-hot.ts';
import { smallJob } from './small-job.ts';
import { socket } from './socket.ts';

const BENCHES: readonly Bench[] = [
  smallHot,
  smallCold,
  largeObjects,
  socket,
  memory,
  farPops,
  smallJob,
  manyTargets,
  serve,
  manyRequests,
  keepWarm,
  coldStart,
  cost,
];
const USAGE = `npm run bench [-- [--quick] [NAME...]]\nNames: ${BENCHES.map((bench) => bench.name).join(', ')}\n`;

function chooseBenches(names: readonly string[]): readonly Bench[] {
  if (names.length === 0) return BENCHES;
  return names.map((name) => {
    const bench = BENCHES.find((bench) => bench.name === name);
    if (bench === undefined) throw new Error(`no bench ${JSON.stringify(name)}\n${USAGE}`);
    return bench;
  });
}

async function runBenches(benches: readonly Bench[], context: BenchContext): Promise<void> {
  process.stdout.write(
    `Machine: ${describeMachine()}. Medians of ${context.rounds} interleaved runs, in brackets the least and the most.\n`,
  );
  for (const bench of benches) {
    context.say(`${bench.name}:`);
    process.stdout.write(`\n## ${bench.title}\n\n${await bench.run(context)}`);
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});
if (values.help) process.stdout.write(USAGE);
else if (!nginxAvailable()) {
  process.stderr.write('The benches need nginx, openssl and curl: apt-get install nginx openssl curl\n');
  process.exitCode = 2;
} else {
  const benches = chooseBenches(positionals);
  const dir = await mkdtemp(join(tmpdir(), 'prewarm-bench-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  // An exit, unlike the death by signal, ends nginx and removes what lies about.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const say = (text: string) => process.stderr.write(`${text}\n`);
  await runBenches(benches, { quick: values.quick, rounds: values.quick ? 1 : 5, dir, say });
}
