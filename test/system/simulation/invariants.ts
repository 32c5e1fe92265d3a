import { parse } from 'csv-parse/sync';
import { accounted, addCounters, type Counters, count } from '../../../core/work/counters.ts';
import { keys } from '../../../core/keys.ts';
import { reportRequest } from '../../../core/report/report-request.ts';
import { viewProgress } from '../../../core/report/progress.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';
import { countersFromMetadata } from '../../../core/work/record-task.ts';
import { isEnded, type RequestRow } from '../../../core/request/request.ts';
import { type ReportRow, checkResults, checkUndisturbedBytes, checkVerifiedRows } from './row-invariants.ts';
import type { SimRequest } from './scenario.ts';
import type { World } from './world.ts';

/** Checks an ended request against its tasks, its report, and what the edge knows. */
export async function checkRequest(world: World, store: RequestStore, request: SimRequest): Promise<void> {
  const row = await store.get(request.id);
  if (row === null || !isEnded(row.status)) {
    world.journal.violated(`${request.id} never ended: it is ${row?.status ?? 'not there'}`);
    return;
  }
  const holds = (invariant: boolean, otherwise: string) => {
    if (!invariant) world.journal.violated(`${row.id} (${row.status}): ${otherwise}`);
  };
  checkEnd(world, request, row, holds);
  checkTotals(request, row, holds);
  await checkSums(world, store, row, holds);
  const rows = parse<ReportRow>(await readReport(world, store, row.id), { columns: true });
  checkReport(request, row, rows, holds);
  checkVerifiedRows(world, request, rows, holds);
  checkResults(world, request, rows, holds);
  checkUndisturbedBytes(world, row, holds);
}

export type Holds = (invariant: boolean, otherwise: string) => void;

function checkEnd(world: World, request: SimRequest, row: RequestRow, holds: Holds): void {
  holds(world.toldEnded.has(row.id), 'the bus was never told of its end');
  holds(row.endedAt !== null, 'it has no time of its end');
  holds(row.status !== 'STOPPED' || request.stopsAt.length > 0 || request.stopsOn !== null, 'nobody stopped it');
  holds(row.status !== 'TIMEOUT' || request.spec.timeoutMinutes !== null, 'it had no time-out');
  holds(row.status !== 'FAILED' || request.spec.pops.every(({ named }) => !named), 'a request with a named POP is not FAILED as a whole');
}

function checkTotals(request: SimRequest, row: RequestRow, holds: Holds): void {
  const { counters, totalCount } = row;
  const pops = row.plan?.pops ?? request.spec.pops.map(({ pop }) => pop);
  const targets = request.urls.length * pops.length * request.spec.variants.length;
  holds(totalCount === targets, `it has ${targets} targets, total_count is ${totalCount}`);
  holds(accounted(counters) === totalCount, `${accounted(counters)} of ${totalCount} targets are accounted`);
  const stopped = count(counters, 'reason.stopped');
  holds(row.status !== 'FINISHED' || stopped === 0, `${stopped} targets of a finished request read stopped`);
  const progress = viewProgress(row, [], { available: 0, leased: 0 }, 0);
  holds((progress.percentage_complete === 100) === (stopped === 0), `${progress.percentage_complete} % with ${stopped} targets stopped`);
  let reasons = 0;
  for (const key in counters) if (key.startsWith('reason.')) reasons += count(counters, key as 'failed');
  holds(reasons === count(counters, 'failed'), `${count(counters, 'failed')} targets failed, for ${reasons} reasons`);
  const done = count(counters, 'warmed') + count(counters, 'already_warm');
  holds(count(counters, 'verified') <= done, `${count(counters, 'verified')} of ${done} done targets are verified`);
}

/** The counters of the request are the sum over its POPs and over its counted tasks' results, with what was stopped. */
async function checkSums({ lists, edge }: World, store: RequestStore, row: RequestRow, holds: Holds): Promise<void> {
  const stopped = count(row.counters, 'reason.stopped');
  const whatStopped: Record<string, number> = stopped === 0 ? {} : { failed: stopped, 'reason.stopped': stopped };
  const overPops = addCounters({}, whatStopped as Counters);
  const overResults = addCounters({}, whatStopped as Counters);
  for (const { pop, counters, totalCount } of await store.listPops(row.id)) {
    addCounters(overPops, counters);
    holds(accounted(counters) <= totalCount, `${pop} has ${accounted(counters)} of ${totalCount} targets`);
    for (const taskId of await store.countedTasks(row.id, pop)) {
      const metadata = await lists.resultMetadata(keys.result(row.id, taskId));
      holds(metadata !== null, `${taskId} was counted and has no result`);
      addCounters(overResults, countersFromMetadata(metadata ?? {}));
    }
  }
  for (const key of new Set([...Object.keys(row.counters), ...Object.keys(overPops), ...Object.keys(overResults)])) {
    const figure = row.counters[key as 'failed'] ?? 0;
    holds(figure === (overPops[key] ?? 0), `${key} is ${figure}, and ${overPops[key] ?? 0} over its POPs`);
    holds(figure === (overResults[key] ?? 0), `${key} is ${figure}, and ${overResults[key] ?? 0} over the results of its counted tasks`);
  }
  const read = count(row.counters, 'edge_bytes');
  holds(read <= edge.bytesSent(row.id), `edge_bytes is ${read}, and the edge sent ${edge.bytesSent(row.id)}`);
}

async function readReport({ lists }: World, store: RequestStore, id: string): Promise<string> {
  let text = '';
  for await (const chunk of reportRequest({ store, lists }, id)) text += chunk;
  return text;
}

function checkReport(request: SimRequest, row: RequestRow, rows: readonly ReportRow[], holds: Holds): void {
  const pops = row.plan?.pops ?? request.spec.pops.map(({ pop }) => pop);
  const missing = new Set<string>();
  for (const { url } of request.urls)
    for (const pop of pops) for (const { name } of request.spec.variants) missing.add(`${url} ${pop} ${name}`);
  for (const { url, pop, variant } of rows) {
    holds(missing.delete(`${url} ${pop} ${variant}`), `the report has ${url} at ${pop} twice, or without need`);
  }
  holds(missing.size === 0, `the report lacks ${missing.size} targets`);
  const outcomes = ['warmed', 'already_warm', 'failed'] as const;
  for (const outcome of outcomes) {
    const inReport = rows.filter((each) => each.outcome === outcome).length;
    holds(
      inReport === count(row.counters, outcome),
      `${count(row.counters, outcome)} targets counted as ${outcome}, ${inReport} in the report`,
    );
  }
  const stopped = rows.filter(({ reason }) => reason === 'stopped');
  holds(stopped.length === count(row.counters, 'reason.stopped'), `the report has ${stopped.length} stopped targets`);
  const late = rows.filter(({ notes }) => notes.split(';').includes('after_end'));
  holds(
    late.every(({ reason }) => reason === 'stopped'),
    'a counted target reads after_end',
  );
  const done = rows.filter(({ outcome }) => outcome !== 'failed');
  const bytes = done.reduce((sum, each) => sum + Number(each.bytes), 0);
  holds(bytes === count(row.counters, 'done_bytes'), `download_size is ${count(row.counters, 'done_bytes')}, and ${bytes} in the report`);
  const verified = done.filter(({ notes }) => notes.split(';').includes('verified')).length;
  holds(verified === count(row.counters, 'verified'), `${count(row.counters, 'verified')} targets verified, ${verified} in the report`);
}
