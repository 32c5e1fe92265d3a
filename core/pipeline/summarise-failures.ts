import { accounted, count } from '../counters.ts';
import { keys } from '../keys.ts';
import type { PipelinePorts } from '../ports/ports.ts';
import { isEnded, type PopRow, type RequestRow } from '../request.ts';
import { parseUrlLine, readLines } from '../sized-list.ts';
import { readFailedUrls } from './failed-urls.ts';
import { readSlices } from './slice-file.ts';

/** Names in a summary or a status, per list. */
export const MAX_LISTED = 1000;

/** Distinct names of what failed, at most 1,000 of each. */
export interface FailureSummary {
  readonly pops: readonly string[];
  readonly urls: readonly string[];
}

/** Whether any target of the POP has failed; one that was not counted before the end is `stopped`. */
export function hasFailures(row: RequestRow, pop: PopRow): boolean {
  return count(pop.counters, 'failed') > 0 || (isEnded(row.status) && accounted(pop.counters) < pop.totalCount);
}

/** What failed of an ended request; reads the results of the tasks that had failures, one at a time, until the lists are full. */
export async function summariseFailures(ports: Pick<PipelinePorts, 'store' | 'lists'>, row: RequestRow): Promise<FailureSummary> {
  if (count(row.counters, 'failed') === 0) return { pops: [], urls: [] };
  if (row.plan === null) return summariseUnplanned(ports, row);
  const pops = (await ports.store.listPops(row.id)).filter((pop) => hasFailures(row, pop)).map(({ pop }) => pop);
  const urls = new Set<string>();
  for (const pop of pops) {
    const counted = await ports.store.countedTasks(row.id, pop);
    for await (const slice of readSlices(ports.lists, row.id, row.plan)) {
      for (const url of await readFailedUrls(ports.lists, row, pop, slice, counted)) urls.add(url);
      if (urls.size >= MAX_LISTED) return listed(pops, urls);
    }
  }
  return listed(pops, urls);
}

/** Ended before it had a plan: no POP got any URL. */
async function summariseUnplanned({ lists }: Pick<PipelinePorts, 'lists'>, row: RequestRow): Promise<FailureSummary> {
  const pops = row.spec.pops.map(({ pop }) => pop);
  return listed(pops, await firstUrls(lists, row.id));
}

/** The first URLs of a request's list. */
export async function firstUrls(lists: Pick<PipelinePorts['lists'], 'read'>, id: string): Promise<readonly string[]> {
  const urls: string[] = [];
  for await (const { line } of readLines(lists.read(keys.urls(id)))) {
    urls.push(parseUrlLine(line));
    if (urls.length >= MAX_LISTED) break;
  }
  return urls;
}

function listed(pops: readonly string[], urls: Iterable<string>): FailureSummary {
  return { pops: pops.slice(0, MAX_LISTED), urls: [...urls].slice(0, MAX_LISTED) };
}
