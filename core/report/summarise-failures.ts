import { accounted, count } from '../work/counters.ts';
import { keys } from '../keys.ts';
import type { PipelinePorts } from '../ports/ports.ts';
import { isEnded, type PopRow, type RequestRow } from '../request/request.ts';
import { parseUrlLine, readLines } from '../work/sized-list.ts';
import { createNameList, inOrder, MAX_LISTED, type NameList, readFailedUrls, READS_AHEAD } from '../pipeline/failed-urls.ts';
import { readSlices } from '../pipeline/slicing.ts';

/** Distinct names of what failed, at most 1,000 of each, and fewer where they are long. */
export interface FailureSummary {
  readonly pops: readonly string[];
  readonly urls: readonly string[];
}

/** Whether any target of the POP has failed; one that was not counted before the end is `stopped`. */
export function hasFailures(row: RequestRow, pop: PopRow): boolean {
  return count(pop.counters, 'failed') > 0 || (isEnded(row.status) && accounted(pop.counters) < pop.totalCount);
}

/** What failed of an ended request; reads the results of the tasks that had failures, until the lists are full. */
export async function summariseFailures(ports: Pick<PipelinePorts, 'store' | 'lists'>, row: RequestRow): Promise<FailureSummary> {
  if (count(row.counters, 'failed') === 0) return { pops: [], urls: [] };
  if (row.plan === null) return summariseUnplanned(ports, row);
  const pops = (await ports.store.listPops(row.id)).filter((pop) => hasFailures(row, pop)).map(({ pop }) => pop);
  const urls = createNameList();
  for (const pop of pops) {
    const counted = await ports.store.countedTasks(row.id, pop);
    const slices = readSlices(ports.lists, row.id, row.plan);
    const failed = inOrder(slices, READS_AHEAD, (slice) => readFailedUrls(ports.lists, row, pop, slice, counted));
    for await (const names of failed) {
      for (const name of names) urls.add(name);
      if (urls.isFull()) return listed(pops, urls);
    }
  }
  return listed(pops, urls);
}

/** Ended before it had a plan: no POP got any URL. */
async function summariseUnplanned({ lists }: Pick<PipelinePorts, 'lists'>, row: RequestRow): Promise<FailureSummary> {
  const pops = row.spec.pops.map(({ pop }) => pop);
  return { pops: pops.slice(0, MAX_LISTED), urls: await firstUrls(lists, row.id) };
}

/** The first URLs of a request's list. */
export async function firstUrls(lists: Pick<PipelinePorts['lists'], 'read'>, id: string): Promise<readonly string[]> {
  const urls = createNameList();
  for await (const { line } of readLines(lists.read(keys.urls(id)))) {
    urls.add(parseUrlLine(line));
    if (urls.isFull()) break;
  }
  return urls.names();
}

function listed(pops: readonly string[], urls: NameList): FailureSummary {
  return { pops: pops.slice(0, MAX_LISTED), urls: urls.names() };
}
