import { PrewarmError } from '../errors.ts';
import { keys } from '../keys.ts';
import type { Reason } from '../work/outcome.ts';
import type { ListStore } from '../ports/list-store.ts';
import type { PopResolution } from '../ports/pop-resolver.ts';
import type { Plan, RequestRow } from '../request/request.ts';
import { readLines } from '../work/sized-list.ts';
import { type Slice, type TaskMessage, taskIdOf } from '../work/task.ts';
import { findHeadersName } from './find-headers.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { type FailedUrl, readFailures, recordFailures } from './record-failures.ts';
import { readSlices } from './slicing.ts';

/** The ports that enqueueing takes. */
export type EnqueuingPort = 'store' | 'lists' | 'viewerHeaders' | 'tasks' | 'fleet' | 'clock';

const SEND_BATCH = 200;
const POPS_PER_AGENT = 4;

/** Where enqueueing goes on: everything before this slice of this block has been sent. The block's size is the planner's own who wrote it. */
interface Position {
  readonly blockPops: number;
  readonly block: number;
  readonly slice: number;
}

/**
 * Sends the plan's tasks in blocks of a few POPs, slice by slice inside a block: agents keep their connections, and the
 * first POPs of a region fill its cache for the later ones. What fails before an agent sees it is recorded here instead.
 * After a crash it goes on from the last position written; tasks sent twice have the same ids, and are worked once.
 */
export async function enqueueShare(
  context: PipelineContext<EnqueuingPort>,
  row: RequestRow,
  plan: Plan,
  resolutions: ReadonlyMap<string, PopResolution>,
): Promise<'some' | 'all' | 'ended'> {
  const { lists, fleet } = context.ports;
  const blockPops = POPS_PER_AGENT * Math.max(1, Math.min(row.spec.agents, fleet.maximum));
  const from = (await readPosition(lists, row.id)) ?? { blockPops, block: 0, slice: 0 };
  const headers = await findHeadersName(context.ports, row);
  const sender = createSender(context, row, { reasons: reasonsByPop(plan, resolutions), resolutions, headers });
  for (let block = from.block; block * from.blockPops < plan.pops.length; block++) {
    const pops = plan.pops.slice(block * from.blockPops, (block + 1) * from.blockPops);
    let at = -1;
    for await (const slice of readSlices(lists, row.id, plan)) {
      at += 1;
      if (block === from.block && at < from.slice) continue;
      if (sender.tasks() >= context.limits.shareTasks) {
        await sender.flush();
        await writePosition(lists, row.id, { ...from, block, slice: at });
        return 'some';
      }
      if (!(await sender.add(slice, pops))) return 'ended';
    }
  }
  await sender.flush();
  return 'all';
}

/** POPs that take no downloads, and why. */
function reasonsByPop(plan: Plan, resolutions: ReadonlyMap<string, PopResolution>): ReadonlyMap<string, Reason> {
  const reasons = new Map<string, Reason>();
  for (const pop of plan.pops) {
    const state = resolutions.get(pop)?.state ?? 'pop_unresolvable';
    if (state !== 'resolved') reasons.set(pop, state);
  }
  return reasons;
}

interface SendWith {
  readonly reasons: ReadonlyMap<string, Reason>;
  readonly resolutions: ReadonlyMap<string, PopResolution>;
  /** The name of the request's headers; null: they are in its row. */
  readonly headers: string | null;
}

function createSender({ ports }: PipelineContext<EnqueuingPort>, row: RequestRow, { reasons, resolutions, headers }: SendWith) {
  const { store, lists, tasks } = ports;
  const named = headers === null ? {} : { headers };
  let batch: TaskMessage[] = [];
  let handled = 0;
  let checked = 0;

  async function record(pop: string, slice: Slice, reason: Reason, read: Map<Reason, readonly FailedUrl[]>): Promise<void> {
    const failures = read.get(reason) ?? (await readFailures(lists, row.id, slice, reason));
    read.set(reason, failures);
    const resolution = resolutions.get(pop);
    const cause = resolution === undefined || resolution.state === 'resolved' ? '' : resolution.detail;
    const told = cause === '' ? failures : failures.map((failure) => (failure.reason === reason ? { ...failure, cause } : failure));
    await recordFailures(ports, { requestId: row.id, pop, slice }, told, row.spec.variants);
  }

  async function flush(): Promise<void> {
    const messages = batch;
    batch = [];
    if (messages.length > 0) await tasks.send(messages);
  }

  return {
    flush,
    tasks: () => handled,
    /** Sends or records the slice at each of the POPs; false: the request has ended. */
    async add(slice: Slice, pops: readonly string[]): Promise<boolean> {
      const read = new Map<Reason, readonly FailedUrl[]>();
      for (const pop of pops) {
        const resolution = resolutions.get(pop);
        const reason = reasons.get(pop) ?? 'pop_unresolvable';
        const sent = slice.list === 'sized' && !reasons.has(pop) && resolution?.state === 'resolved';
        if (sent)
          batch.push({
            requestId: row.id,
            taskId: taskIdOf(pop, 0, slice),
            pop,
            addresses: resolution.addresses,
            wave: 0,
            slice,
            ...named,
          });
        else await record(pop, slice, reason, read);
        handled += 1;
      }
      if (handled - checked < SEND_BATCH) return true;
      checked = handled;
      await flush();
      return (await store.get(row.id))?.status === 'QUEUEING';
    },
  };
}

async function readPosition(lists: ListStore, id: string): Promise<Position | null> {
  try {
    for await (const { line } of readLines(lists.read(keys.enqueued(id)))) {
      const [blockPops = 1, block = 0, slice = 0] = line.split(',').map(Number);
      return { blockPops, block, slice };
    }
    return null;
  } catch (error) {
    if (error instanceof PrewarmError && error.code === 'not_found') return null;
    throw error;
  }
}

async function writePosition(lists: ListStore, id: string, { blockPops, block, slice }: Position): Promise<void> {
  await lists.put(keys.enqueued(id), [`${blockPops},${block},${slice}\n`]);
}
