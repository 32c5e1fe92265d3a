import { fileURLToPath } from 'node:url';
import { AGENT_NODE_FLAGS } from '../deployment/agent-node-flags.ts';
import { type EdgeCaches, startEdgeCaches } from '../testing/nginx/edge-caches.ts';
import type { Bench, BenchContext } from './bench.ts';
import { markdownTable, median, MIB, ratio, spread } from './figures.ts';
import type { ReadFigures, ReadJob, ReadWay } from './read-objects.ts';
import { runProcess } from './run-process.ts';

const READ_OBJECTS = fileURLToPath(new URL('read-objects.ts', import.meta.url));
const WAYS = ['shared', 'connector', 'flowing', 'downloader'] as const satisfies readonly ReadWay[];
/** No round begins after this, so that the bench stays below two minutes on a machine that does nothing else. */
const LAST_ROUND_AFTER_MS = 85_000;

interface Load {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly asks: number;
  readonly inFlight: number;
}

const LOADS: readonly Load[] = [
  { name: '1 KiB', path: 'o/1k.bin', bytes: 1024, asks: 2500, inFlight: 64 },
  { name: '10 KiB', path: 'o/10k.bin', bytes: 10 * 1024, asks: 2500, inFlight: 64 },
  { name: '1 MiB', path: 'o/1m.bin', bytes: MIB, asks: 320, inFlight: 64 },
  { name: '64 MiB', path: 'o/64m.bin', bytes: 64 * MIB, asks: 6, inFlight: 6 },
];
const SCHEMES = ['https', 'http'] as const;

interface Cell {
  readonly load: Load;
  readonly scheme: (typeof SCHEMES)[number];
  readonly runs: Record<ReadWay, ReadFigures[]>;
}

async function readOnce(edge: EdgeCaches, { load, scheme }: Cell, way: ReadWay, asks: number): Promise<ReadFigures> {
  const ip = edge.caches[0]?.addresses[0];
  if (ip === undefined) throw new Error('the edge has no address');
  const job: ReadJob = {
    way,
    url: `${scheme}://${edge.host}/${load.path}`,
    ip,
    port: scheme === 'https' ? edge.edgePort : edge.httpPort,
    caFile: edge.caFile,
    bytes: load.bytes,
    asks,
    inFlight: Math.min(load.inFlight, asks),
  };
  const run = await runProcess(process.execPath, [...AGENT_NODE_FLAGS, READ_OBJECTS, JSON.stringify(job)]);
  return JSON.parse(run.stdout) as ReadFigures;
}

async function measure(context: BenchContext, edge: EdgeCaches): Promise<readonly Cell[]> {
  const cells = LOADS.flatMap((load) =>
    SCHEMES.map((scheme): Cell => ({ load, scheme, runs: { shared: [], connector: [], flowing: [], downloader: [] } })),
  );
  const startedAt = performance.now();
  for (let round = 1; round <= context.rounds && performance.now() - startedAt < LAST_ROUND_AFTER_MS; round++) {
    context.say(`round ${round} of at most ${context.rounds}`);
    for (const cell of cells) {
      // Each round begins with another way, so that none always follows the same one.
      for (let turn = 0; turn < WAYS.length; turn++) {
        const way = WAYS[(turn + round) % WAYS.length] ?? 'shared';
        cell.runs[way].push(await readOnce(edge, cell, way, context.quick ? Math.ceil(cell.load.asks / 20) : cell.load.asks));
      }
    }
  }
  return cells;
}

/** What a process holds once it has loaded undici's client, MB: its own module alone, and all of undici. */
async function measureImports(rounds: number): Promise<string> {
  const modules = ['undici/lib/dispatcher/client.js', 'undici'] as const;
  const peaks = new Map<string, number[]>(modules.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of modules) {
      const script = `import ${JSON.stringify(name)}; import { readFileSync } from 'node:fs'; console.log(/VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);`;
      const { stdout } = await runProcess(process.execPath, [...AGENT_NODE_FLAGS, '--input-type=module', '-e', script]);
      peaks.get(name)?.push((Number(stdout) * 1024) / 1e6);
    }
  }
  return modules.map((name) => `\`${name}\` ${spread(peaks.get(name) ?? [])} MB`).join(', ');
}

function rowsOf({ load, scheme, runs }: Cell, quick: boolean): (string | number)[][] {
  const asks = quick ? Math.ceil(load.asks / 20) : load.asks;
  const microseconds = (way: ReadWay) => runs[way].map(({ cpuMs }) => (cpuMs * 1000) / asks);
  const paired = runs.shared.map(({ cpuMs }, round) => (cpuMs / (runs.connector[round]?.cpuMs ?? Number.NaN)) * 100);
  return WAYS.map((way) => [
    `${load.name}, ${scheme}`,
    way,
    spread(microseconds(way)),
    way === 'shared' ? `${ratio(microseconds('shared'), microseconds('connector'))}; in pairs ${spread(paired)} %` : '',
    spread(runs[way].map(({ wallMs }) => (asks * load.bytes) / 1000 / wallMs)),
    Math.round(median(runs[way].map(({ peakBytes }) => peakBytes / 1e6))),
  ]);
}

/** The most of the connector's processor time that our socket may take for objects of 1 MiB and more; measured: a half. */
const MOST_OF_CONNECTOR = 0.75;

function checkTarget(cells: readonly Cell[]): void {
  for (const { load, scheme, runs } of cells) {
    if (load.bytes < MIB) continue;
    const share = median(runs.shared.map(({ cpuMs }) => cpuMs)) / median(runs.connector.map(({ cpuMs }) => cpuMs));
    if (share > MOST_OF_CONNECTOR)
      throw new Error(`${load.name} over ${scheme}: the shared buffer took ${share.toFixed(2)} of the connector's processor time`);
  }
}

export const socket: Bench = {
  name: 'socket',
  title: 'Sockets that share a buffer',
  async run(context) {
    const edge = await startEdgeCaches({
      pops: [{ pop: 'IAD1-P1', addresses: 1, separate: false }],
      objects: LOADS,
      kind: 'static',
      log: false,
    });
    try {
      const cells = await measure(context, edge);
      if (!context.quick) checkTarget(cells);
      const head = ['', 'way', 'processor µs an object', 'shared against connector', 'MB/s', 'peak, MB'];
      const table = markdownTable(
        head,
        cells.flatMap((cell) => rowsOf(cell, context.quick)),
      );
      return `${table}\nA process that has loaded nothing but: ${await measureImports(context.rounds)}.\n`;
    } finally {
      await edge.close();
    }
  },
};
