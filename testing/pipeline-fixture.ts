import { parse } from 'csv-parse/sync';
import { onTestFinished } from 'vitest';
import { createHolder } from '../adapters/embedded/holder.ts';
import { type EmbeddedStores, openEmbeddedStores } from '../adapters/embedded/embedded-stores.ts';
import type { EdgeAddress } from '../core/pops/address.ts';
import { systemClock } from '../core/clock.ts';
import { accounted, type Counters } from '../core/work/counters.ts';
import { createPipeline, type Pipeline } from '../core/pipeline/create-pipeline.ts';
import type { PipelineOptions } from '../core/pipeline/pipeline-context.ts';
import type { Answer, Ask } from '../core/ports/downloader.ts';
import type { PopResolution } from '../core/ports/pop-resolver.ts';
import type { PipelinePorts } from '../core/ports/ports.ts';
import { keys } from '../core/keys.ts';
import { recordTask } from '../core/work/record-task.ts';
import type { RequestRow, RequestSpec } from '../core/request/request.ts';
import { formatResultRow } from '../core/report/result-row.ts';
import { parseSizedLine, readLines } from '../core/work/sized-list.ts';
import type { TaskMessage } from '../core/work/task.ts';
import { unanswered } from '../core/work/unanswered.ts';
import { temporaryDir } from './temporary-dir.ts';

export const ID = '5e8c4a52-0d3f-4a7a-9d3e-8f8c1f3f9a11';

const addressOf = (ip: string): EdgeAddress => ({ ip, port: 443, httpPort: 80 });

const SILENT = unanswered('timeout', 1);

export const answer = (fields: Partial<Answer>): Answer => ({ ...SILENT, error: null, status: 200, ...fields });
export const silence: Answer = SILENT;

export interface Edge {
  /** What a HEAD is answered; default: 200 with 1,000 bytes. */
  head?: (ask: Ask) => Answer | Promise<Answer>;
  /** POPs that do not resolve, or only to refused addresses; every other has two addresses. */
  pops?: Readonly<Record<string, 'pop_unresolvable' | 'address_refused'>>;
}

export interface PipelineFixture {
  readonly stores: EmbeddedStores;
  readonly ports: PipelinePorts;
  readonly pipeline: Pipeline;
  /** What was sent to an edge. */
  readonly asks: Ask[];
  readonly ended: RequestRow[];
  readonly fleet: { capacity: number };
}

/** The pipeline on the embedded stores; only what reaches the network or starts processes is stood in for. */
export function openFixture(edge: Edge = {}, options: PipelineOptions = {}, change: (ports: PipelinePorts) => PipelinePorts = (p) => p) {
  const stores = openEmbeddedStores(temporaryDir(), systemClock, { holder: createHolder() });
  onTestFinished(() => stores.close());
  const asks: Ask[] = [];
  const ended: RequestRow[] = [];
  const fleet = { capacity: 0 };
  const ports = change({
    store: stores.store,
    lists: stores.lists,
    viewerHeaders: null,
    tasks: stores.tasks,
    timers: stores.timers,
    fleet: {
      maximum: 8,
      getCapacity: async () => fleet.capacity,
      setCapacity: async (agents) => {
        fleet.capacity = agents;
      },
    },
    invalidations: null,
    resolver: { resolvePop: async (_, pop) => resolutionOf(edge, pop), findDistribution: async () => null },
    downloader: {
      ask: async (ask) => {
        asks.push(ask);
        return edge.head?.(ask) ?? answer({ contentLength: 1000 });
      },
      close: async () => undefined,
    },
    events: {
      requestEnded: async (row) => {
        ended.push(row);
      },
    },
    clock: systemClock,
  });
  return { stores, ports, asks, ended, fleet, pipeline: createPipeline(ports, options) } satisfies PipelineFixture;
}

function resolutionOf(edge: Edge, pop: string): PopResolution {
  const state = edge.pops?.[pop];
  if (state !== undefined) return { state, detail: 'by the test' };
  return { state: 'resolved', addresses: [addressOf(`${pop}-a`), addressOf(`${pop}-b`)] };
}

/** Every second one with a comma, which the lists have to quote. */
export const makeUrls = (count: number) =>
  Array.from({ length: count }, (_, n) => `https://www.example.com/file${n % 2 === 0 ? ',' : '-'}${n}?v=${n}`);

export function makeSpec(pops: readonly string[], change: Partial<RequestSpec> = {}): RequestSpec {
  return {
    domain: 'd111111abcdef8.cloudfront.net',
    pops: pops.map((pop) => ({ pop, named: true })),
    variants: [{ name: 'default', headers: [['Accept-Encoding', 'gzip']] }],
    acceptStatus: null,
    timeoutMinutes: null,
    agents: 1,
    invalidate: false,
    ...change,
  };
}

/** Advances until there is nothing more to do. */
export async function advanceAll(pipeline: Pipeline, id = ID): Promise<void> {
  for (let calls = 0; calls < 1000; calls++) if ((await pipeline.advance(id)).next === 'nothing') return;
  throw new Error('advance never came to an end');
}

/** Does what an agent does with a task, without a network: every third target was warm, and every seventh fails. */
export async function workTask(ports: Pick<PipelinePorts, 'lists' | 'store' | 'clock'>, task: TaskMessage, variants = ['default']) {
  const counters: Record<string, number> = { warmed: 0, already_warm: 0, failed: 0, done_bytes: 0 };
  const add = (key: string, n = 1) => {
    counters[key] = (counters[key] ?? 0) + n;
  };
  let rows = '';
  let at = 0;
  const { start, end } = task.slice;
  for await (const { line } of readLines(ports.lists.read(keys.part(task.requestId, task.slice.list, task.slice.part), { start, end }))) {
    const { url } = parseSizedLine(line);
    for (const variant of variants) {
      at += 1;
      const outcome = at % 7 === 0 ? 'failed' : at % 3 === 0 ? 'already_warm' : 'warmed';
      add(outcome);
      if (outcome === 'failed') add('reason.status_404');
      else add('done_bytes', 1000);
      const answered = { status: outcome === 'failed' ? 404 : 200, xCacheFirst: 'Miss', xCacheLast: 'Hit', servedBy: task.pop };
      const figures = { bytes: 1000, attempts: 2, ttfbMs: 1, totalMs: 2, finishedAt: ports.clock.now(), notes: 'verified' };
      const reason = outcome === 'failed' ? ('status_404' as const) : ('' as const);
      rows += formatResultRow({ url, pop: task.pop, variant, outcome, reason, address: '127.0.0.2:443', ...answered, ...figures });
    }
  }
  await recordTask(ports, task, rows, counters as Counters);
}

/** Works every task there is on the queue; returns their ids. */
export async function workAll({ ports }: Pick<PipelineFixture, 'ports'>, variants?: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const leased = await ports.tasks.receive(10, 0);
    if (leased.length === 0) return ids;
    for (const { message, receipt } of leased) {
      ids.push(message.taskId);
      if (!(await ports.store.hasTask(message.requestId, message.taskId))) await workTask(ports, message, variants);
      await ports.tasks.delete(receipt);
    }
  }
}

/** Hands the pipeline every recorded task that was not acknowledged. */
export async function aggregateAll({ stores, pipeline }: Pick<PipelineFixture, 'stores' | 'pipeline'>): Promise<void> {
  for (;;) {
    const records = stores.outbox.take('task', 100);
    if (records.length === 0) return;
    await pipeline.aggregate(records.map(({ requestId, taskId }) => ({ requestId, taskId: taskId ?? '' })));
    stores.outbox.acknowledge(records.map(({ sequence }) => sequence));
  }
}

export async function getRow(ports: Pick<PipelinePorts, 'store'>, id = ID): Promise<RequestRow> {
  const row = await ports.store.get(id);
  if (row === null) throw new Error(`no request ${id}`);
  return row;
}

export type ReportLine = Readonly<Record<string, string>>;

export async function readReport(pipeline: Pipeline, id = ID): Promise<ReportLine[]> {
  let text = '';
  for await (const chunk of pipeline.report(id)) text += chunk;
  return parse(text, { columns: true });
}

/** What is wrong with an ended request: the sums of its row, and its report against urls x pops x variants. */
export function faultsOf(row: RequestRow, report: readonly ReportLine[], urls: readonly string[], pops: readonly string[]): string[] {
  const faults: string[] = [];
  const targets = new Set(report.map(({ url, pop, variant }) => `${url} ${pop} ${variant}`));
  const asked = new Set(urls);
  const strangers = report.filter(({ url = '' }) => !asked.has(url));
  if (strangers.length > 0) faults.push(`${strangers.length} rows of URLs that nobody asked for, as ${strangers[0]?.['url']}`);
  const expected = urls.length * pops.length * row.spec.variants.length;
  if (accounted(row.counters) !== row.totalCount) faults.push(`${accounted(row.counters)} of ${row.totalCount} accounted`);
  if (row.totalCount !== expected) faults.push(`total is ${row.totalCount}, not ${expected}`);
  if (report.length !== expected || targets.size !== expected)
    faults.push(`${report.length} rows of ${targets.size} targets, not ${expected}`);
  for (const outcome of ['warmed', 'already_warm', 'failed'] as const) {
    const rows = report.filter((line) => line['outcome'] === outcome).length;
    if (rows !== (row.counters[outcome] ?? 0)) faults.push(`${rows} rows ${outcome}, counted ${row.counters[outcome] ?? 0}`);
  }
  return faults;
}
