import { readFile } from 'node:fs/promises';
import { createUndiciDownloader } from '../adapters/http/undici-downloader.ts';
import { createDnsPopResolver } from '../adapters/dns/dns-pop-resolver.ts';
import { CancellableScope } from '../core/ask-scope.ts';
import { systemClock } from '../core/clock.ts';
import { createKeepWarmSender, type KeepWarmEvent } from '../core/keep-warm/keep-warm-sender.ts';
import { type KeepWarmRoute, planRun } from '../core/keep-warm/route.ts';
import type { Bench } from './bench.ts';
import { type BenchEdge, startBenchEdge } from './edge-setup.ts';
import { markdownTable } from './figures.ts';

const POPS = 10;
const PER_POP = 60;

interface Sent {
  readonly dueAt: number;
  lateMs: number;
  /** From its planned moment to its end being told, less what the exchange itself took. */
  overheadMs: number;
}

const at = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

/** One run of the real sender over real sockets, and what it added to the exchanges. */
async function sendOneRun({ edge, urls, pops }: BenchEdge, spanMs: number): Promise<readonly Sent[]> {
  const downloader = createUndiciDownloader({ ca: await readFile(edge.caFile, 'utf8'), allowPrivateAddresses: true });
  const resolver = createDnsPopResolver({
    servers: edge.dnsServer,
    edgePort: edge.edgePort,
    edgeHttpPort: edge.httpPort,
    allowPrivateAddresses: true,
  });
  const sender = createKeepWarmSender({ resolver, downloader, clock: systemClock, sameCity: (a, b) => a === b });
  const route: KeepWarmRoute = { domain: edge.host, url: urls[0] ?? '', pops, requestsPerPop: PER_POP, method: 'GET', headers: [] };
  const startedAt = performance.now();
  const due = Map.groupBy(planRun([route], spanMs, 0), ({ lane }) => lane.pop);
  const open = new Map<string, Sent[]>();
  const all: Sent[] = [];
  const record = (event: KeepWarmEvent) => {
    const { pop } = event.lane;
    if (event.kind === 'sent') {
      const planned = due.get(pop)?.shift();
      const sent: Sent = { dueAt: startedAt + (planned?.offsetMs ?? Number.NaN), lateMs: event.lateMs, overheadMs: Number.NaN };
      open.set(pop, [...(open.get(pop) ?? []), sent]);
      all.push(sent);
    } else if (event.kind === 'ended' && event.reason === null) {
      // Requests of one POP end in their order here: the pauses between them are far longer than an exchange.
      const sent = open.get(pop)?.shift();
      if (sent !== undefined) sent.overheadMs = performance.now() - sent.dueAt - event.answer.totalMs;
    } else throw new Error(`not answered well: ${JSON.stringify(event)}`);
  };
  await sender.send([route], { run: 0, spanMs, endMs: spanMs + 10_000, record, scope: new CancellableScope() });
  await downloader.close();
  return all;
}

export const keepWarm: Bench = {
  name: 'keep-warm',
  title: 'Keeping connections warm',
  async run(context) {
    const bench = await startBenchEdge({ urls: 1, bytes: 1024, pops: POPS }, 'hot');
    const spanMs = context.quick ? 5000 : 55_000;
    let sent: readonly Sent[];
    const before = process.cpuUsage();
    try {
      sent = await sendOneRun(bench, spanMs);
    } finally {
      await bench.edge.close();
    }
    const { user, system } = process.cpuUsage(before);
    if (sent.length !== POPS * PER_POP) throw new Error(`${sent.length} of ${POPS * PER_POP} requests were sent`);
    const row = (name: string, values: readonly number[], wanted: string) => [
      name,
      ...[0.5, 0.95, 1].map((share) => at(values, share).toFixed(2)),
      wanted,
    ];
    const overheads = sent.map(({ overheadMs }) => overheadMs);
    return `${POPS} POPs x ${PER_POP} requests over ${spanMs / 1000} s, the real sender over TLS. Processor time of the whole process, start included: ${((user + system) / 1000 / sent.length).toFixed(2)} ms a request.

${markdownTable(
  ['', 'median', 'p95', 'max', 'wanted'],
  [
    row(
      'sent behind its plan, ms',
      sent.map(({ lateMs }) => lateMs),
      'below 1,000',
    ),
    row('added to an exchange, lateness included, ms', overheads, 'median below 5'),
  ],
)}`;
  },
};
