import { count } from '../work/counters.ts';
import type { PipelinePorts } from '../ports/ports.ts';
import { isEnded, type Plan, type RequestRow } from '../request/request.ts';
import { type Slice, taskIdOf } from '../work/task.ts';
import { createNameList, inOrder, readFailedUrls, readSliceUrls } from '../pipeline/failed-urls.ts';
import { readSlices } from '../pipeline/slicing.ts';
import { firstUrls, hasFailures } from './summarise-failures.ts';

type Ports = Pick<PipelinePorts, 'store' | 'lists'> & { readonly clock: Pick<PipelinePorts['clock'], 'now'> };

const POPS_AT_ONCE = 8;
const SLICES_AT_ONCE = 16;
/** API Gateway answers 504 after 29 s. What is under way at this moment, and the list of URLs, need some of the rest. */
const READING_LASTS_MS = 20_000;

/**
 * A request by URL, as older clients ask for it. A URL is completed when every POP has it, failed as soon as one POP
 * failed to get it, and in progress otherwise. Lists hold at most 1,000 URLs, and fewer where they are long.
 */
export interface UrlStatus {
  readonly total: number;
  readonly completed: number;
  readonly inProgress: number;
  readonly failedUrls: readonly string[];
  readonly inProgressUrls: readonly string[];
  readonly completedUrls: readonly string[];
}

/**
 * Reads what was recorded slice by slice, and results only where a POP has failures; holds a few slices and the ids of the counted tasks.
 * After 20 s it reads no more results: URLs that it has not come to are in progress, or failed if the request has ended.
 */
export async function viewUrlStatus(ports: Ports, row: RequestRow): Promise<UrlStatus> {
  const plan = row.plan;
  if (plan === null) return viewUnplanned(ports, row);
  const until = ports.clock.now() + READING_LASTS_MS;
  const tally = createTally();
  if (isEnded(row.status) && count(row.counters, 'failed') === 0) {
    tally.add('completed', row.urlCount, await firstUrls(ports.lists, row.id));
    return tally.view(row.urlCount);
  }
  const pops = await readPops(ports, row, plan);
  const slices = readSlices(ports.lists, row.id, plan);
  const views = inOrder(slices, SLICES_AT_ONCE, (slice) => readSlice(ports, row, { pops, slice, until, tally }));
  for await (const view of views) addSlice(row, view, tally);
  return tally.view(row.urlCount);
}

async function viewUnplanned(ports: Ports, row: RequestRow): Promise<UrlStatus> {
  const tally = createTally();
  tally.add(isEnded(row.status) ? 'failed' : 'inProgress', row.urlCount, await firstUrls(ports.lists, row.id));
  return tally.view(row.urlCount);
}

interface PopTasks {
  readonly pop: string;
  readonly failing: boolean;
  readonly counted: ReadonlySet<string>;
}

async function readPops({ store }: Ports, row: RequestRow, plan: Plan): Promise<readonly PopTasks[]> {
  const rows = new Map((await store.listPops(row.id)).map((pop) => [pop.pop, pop]));
  async function readPop(pop: string): Promise<PopTasks> {
    const popRow = rows.get(pop);
    return { pop, failing: popRow !== undefined && hasFailures(row, popRow), counted: await store.countedTasks(row.id, pop) };
  }
  return Array.fromAsync(inOrder(plan.pops, POPS_AT_ONCE, readPop));
}

interface SliceView {
  readonly slice: Slice;
  /** Null: there was no time to find out. */
  readonly failed: ReadonlySet<string> | null;
  /** What the URLs are that have not failed. */
  readonly rest: 'inProgress' | 'completed';
  /** Of those, the ones that lists have room for, and that there was time to read. */
  readonly restUrls: readonly string[];
}

interface SliceReading {
  readonly pops: readonly PopTasks[];
  readonly slice: Slice;
  readonly until: number;
  readonly tally: Tally;
}

async function readSlice({ lists, clock }: Ports, row: RequestRow, { pops, slice, until, tally }: SliceReading): Promise<SliceView> {
  const isOpen = !isEnded(row.status) && pops.some(({ pop, counted }) => !counted.has(taskIdOf(pop, 0, slice)));
  const rest = isOpen ? 'inProgress' : 'completed';
  const failed = new Set<string>();
  for (const { pop, failing, counted } of pops) {
    if (!failing) continue;
    if (clock.now() >= until) return { slice, failed: null, rest, restUrls: [] };
    for (const url of await readFailedUrls(lists, row, pop, slice, counted)) failed.add(url);
  }
  const isEnough = failed.size === slice.rows || tally.isFull(rest) || clock.now() >= until;
  const urls = isEnough ? [] : await readSliceUrls(lists, row.id, slice);
  return { slice, failed, rest, restUrls: urls.filter((url) => !failed.has(url)) };
}

function addSlice(row: RequestRow, { slice, failed, rest, restUrls }: SliceView, tally: Tally): void {
  if (failed === null) {
    // Whoever is told that a URL is completed relies on it; so nothing is called so that was not looked at.
    tally.add(isEnded(row.status) ? 'failed' : 'inProgress', slice.rows, []);
    return;
  }
  tally.add('failed', failed.size, failed);
  tally.add(rest, slice.rows - failed.size, restUrls);
}

type UrlState = 'completed' | 'inProgress' | 'failed';
type Tally = ReturnType<typeof createTally>;

function createTally() {
  const counts: Record<UrlState, number> = { completed: 0, inProgress: 0, failed: 0 };
  const urls = { completed: createNameList(), inProgress: createNameList(), failed: createNameList() };
  return {
    isFull: (state: UrlState) => urls[state].isFull(),
    add(state: UrlState, size: number, names: Iterable<string>): void {
      counts[state] += size;
      for (const url of names) {
        if (urls[state].isFull()) break;
        urls[state].add(url);
      }
    },
    view: (total: number): UrlStatus => ({
      total,
      completed: counts.completed,
      inProgress: counts.inProgress,
      failedUrls: urls.failed.names(),
      inProgressUrls: urls.inProgress.names(),
      completedUrls: urls.completed.names(),
    }),
  };
}
