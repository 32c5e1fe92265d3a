import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { EdgeCaches } from '../testing/nginx/edge-caches.ts';
import type { Bench, BenchContext } from './bench.ts';
import { startBenchEdge } from './edge-setup.ts';
import { markdownTable, median, spread } from './figures.ts';
import type { LoadFigures } from './load-generator.ts';
import { childrenOf, processorSeconds } from './processor-time.ts';
import { API_KEY, type ServedApi, serveFlags, startServedApi } from './served-api.ts';
import { startDelayProxy } from './start-delay-proxy.ts';

const GENERATOR = fileURLToPath(new URL('./load-generator.ts', import.meta.url));
/** Eight downloads in flight, each a round trip of 100 ms, and now and then a connection: some 50 targets a second. */
const PACE = { roundTripMs: 100, inFlight: 8 };
const CONNECTIONS = 16;
const LISTED_URLS = 1000;

interface Round extends LoadFigures {
  readonly targetsPerSecond: number;
  /** Shares of one core. */
  readonly server: number;
  readonly agents: number;
  readonly generator: number;
}

async function generateLoad(url: string, seconds: number): Promise<LoadFigures & { readonly cpu: number }> {
  const child = spawn(process.execPath, [GENERATOR, url, API_KEY, String(CONNECTIONS), String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let cpu = 0;
  const watching = setInterval(() => {
    cpu = processorSeconds(child.pid ?? 0);
  }, 200);
  const said = await text(child.stdout);
  clearInterval(watching);
  await exited;
  return { ...(JSON.parse(said) as LoadFigures), cpu };
}

/** What a request does, and what the server takes for it, while it is asked for its progress as fast as it goes. */
async function measureRound(served: ServedApi, id: string, seconds: number): Promise<Round> {
  const done = async () => {
    const { download_count: counted, provisional_count: ahead } = await served.progress(id);
    return counted + ahead;
  };
  const agents = childrenOf(served.pid);
  const used = () => ({ server: processorSeconds(served.pid), agents: agents.reduce((sum, pid) => sum + processorSeconds(pid), 0) });
  const [before, doneBefore, start] = [used(), await done(), performance.now()];
  const { cpu, ...load } = await generateLoad(`${served.url}/prewarm?req_id=${id}`, seconds);
  const elapsed = (performance.now() - start) / 1000;
  const after = used();
  return {
    ...load,
    targetsPerSecond: ((await done()) - doneBefore) / elapsed,
    server: (after.server - before.server) / elapsed,
    agents: (after.agents - before.agents) / elapsed,
    generator: cpu / elapsed,
  };
}

async function measurePolling(context: BenchContext): Promise<readonly Round[]> {
  const bench = await startBenchEdge({ urls: 500, bytes: 1024, pops: 60 }, 'hot');
  const proxy = await startDelayProxy(bench.edge, PACE.roundTripMs);
  const served = await startServedApi(context, [...serveFlags(bench.edge, proxy.port), '--concurrency', String(PACE.inFlight)], 'polling');
  try {
    const { id } = await served.submit({ url_list: bench.urls, pops: bench.pops, cf_domain: bench.edge.host });
    await served.untilStatus(id, 'IN_PROGRESS');
    const rounds: Round[] = [];
    for (let round = 1; round <= context.rounds; round++) {
      context.say(`round ${round} of ${context.rounds}`);
      rounds.push(await measureRound(served, id, context.quick ? 2 : 10));
    }
    return rounds;
  } finally {
    await served.close();
    await proxy.close();
    await bench.edge.close();
  }
}

/** From the last question for a size to the first download, as the server logged them, milliseconds. */
async function pauseAfterSizing(edge: EdgeCaches, since: number): Promise<number> {
  const log = (await edge.readLogs()).edge.filter(({ startedAt }) => startedAt >= since);
  const sized = Math.max(...log.filter(({ method }) => method === 'HEAD').map(({ startedAt }) => startedAt));
  return Math.min(...log.filter(({ method }) => method === 'GET').map(({ startedAt }) => startedAt)) - sized;
}

async function measureSubmitting(context: BenchContext) {
  const bench = await startBenchEdge({ urls: LISTED_URLS, bytes: 1024, pops: 2 }, 'hot', { log: true });
  const served = await startServedApi(context, serveFlags(bench.edge, bench.edge.edgePort), 'submitting');
  const answered: number[] = [];
  const pauses: number[] = [];
  try {
    for (let round = 0; round <= context.rounds; round++) {
      const since = Date.now();
      const { id, ms } = await served.submit({ url_list: bench.urls, pops: bench.pops, cf_domain: bench.edge.host });
      await served.untilStatus(id, 'FINISHED');
      // The first one of a new process is compiled while it runs.
      if (round > 0) {
        answered.push(ms);
        pauses.push(await pauseAfterSizing(bench.edge, since));
      }
    }
    return { answered, pauses };
  } finally {
    await served.close();
    await bench.edge.close();
  }
}

function pollingRows(rounds: readonly Round[]): readonly (readonly string[])[] {
  const pick = (figure: (round: Round) => number) => rounds.map(figure);
  const cores = (figure: (round: Round) => number) => median(pick(figure)).toFixed(2);
  return [
    ['answers/s', spread(pick((round) => round.perSecond)), 'at least 2,000'],
    ['99th percentile, ms', median(pick((round) => round.p99)).toFixed(1), 'below 50'],
    [
      'median, longest, ms',
      `${median(pick((round) => round.median)).toFixed(1)}, ${median(pick((round) => round.longest)).toFixed(1)}`,
      '',
    ],
    ['targets/s of the request meanwhile', spread(pick((round) => round.targetsPerSecond)), 'about 50'],
    ['cores: server, agents, load generator', [cores((r) => r.server), cores((r) => r.agents), cores((r) => r.generator)].join(', '), ''],
  ];
}

export const serve: Bench = {
  name: 'serve',
  title: 'The HTTP API',
  async run(context) {
    const rounds = await measurePolling(context);
    const { answered, pauses } = await measureSubmitting(context);
    return `${CONNECTIONS} connections ask \`GET /prewarm\` without a pause, while the request they ask about runs at an edge of ${PACE.roundTripMs} ms round trip with ${PACE.inFlight} downloads in flight. Load generator, edge and proxy share the cores.

${markdownTable(['`GET /prewarm`', '', 'wanted'], pollingRows(rounds))}
${markdownTable(
  [`\`POST /prewarm\` of ${LISTED_URLS} URLs`, 'ms', 'wanted'],
  [
    ['answered after', spread(answered), 'at most 150'],
    ['from the last size asked to the first download', spread(pauses), 'at most 300'],
  ],
)}`;
  },
};
