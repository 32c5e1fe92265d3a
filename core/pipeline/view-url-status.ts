import { count } from '../counters.ts';
import type { PipelinePorts } from '../ports/ports.ts';
import { isEnded, type Plan, type RequestRow } from '../request.ts';
import { type Slice, taskIdOf } from '../task.ts';
import { readFailedUrls, readSliceUrls } from './failed-urls.ts';
import { createNameList } from './name-list.ts';
import { readSlices } from './slice-file.ts';
import { firstUrls, hasFailures } from './summarise-failures.ts';

type Ports = Pick<PipelinePorts, 'store' | 'lists'>;

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

/** Reads what was recorded slice by slice, and results only where a POP has failures; holds one slice and the ids of the counted tasks. */
export async function viewUrlStatus(ports: Ports, row: RequestRow): Promise<UrlStatus> {
  const plan = row.plan;
  if (plan === null) return viewUnplanned(ports, row);
  const tally = createTally();
  if (isEnded(row.status) && count(row.counters, 'failed') === 0) {
    tally.add('completed', row.urlCount, await firstUrls(ports.lists, row.id));
    return tally.view(row.urlCount);
  }
  const pops = await readPops(ports, row, plan);
  for await (const slice of readSlices(ports.lists, row.id, plan)) await addSlice(ports, row, { pops, slice }, tally);
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
  const tasks: PopTasks[] = [];
  for (const pop of plan.pops) {
    const popRow = rows.get(pop);
    tasks.push({ pop, failing: popRow !== undefined && hasFailures(row, popRow), counted: await store.countedTasks(row.id, pop) });
  }
  return tasks;
}

async function addSlice(
  { lists }: Ports,
  row: RequestRow,
  { pops, slice }: { readonly pops: readonly PopTasks[]; readonly slice: Slice },
  tally: Tally,
): Promise<void> {
  const failed = new Set<string>();
  let open = false;
  for (const { pop, failing, counted } of pops) {
    if (!isEnded(row.status) && !counted.has(taskIdOf(pop, 0, slice))) open = true;
    if (failing) for (const url of await readFailedUrls(lists, row, pop, slice, counted)) failed.add(url);
  }
  tally.add('failed', failed.size, failed);
  const rest = open ? 'inProgress' : 'completed';
  const size = slice.rows - failed.size;
  if (size === 0 || tally.isFull(rest)) tally.add(rest, size, []);
  else {
    const urls = await readSliceUrls(lists, row.id, slice);
    const others = urls.filter((url) => !failed.has(url));
    tally.add(rest, size, others);
  }
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
