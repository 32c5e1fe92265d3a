import pLimit from 'p-limit';
import type { EmbeddedStores } from '../adapters/embedded/embedded-stores.ts';
import { type Clock, sleep } from '../core/clock.ts';
import { type AdvanceBudget, advanceUntil } from '../core/pipeline/advance-request.ts';
import type { Pipeline } from '../core/pipeline/create-pipeline.ts';
import { NOTHING } from '../core/pipeline/pipeline-context.ts';
import { MAX_POPS } from '../core/pops/pop-choice.ts';
import type { Events } from '../core/ports/ports.ts';
import { ACTIVE_STATUSES, isEnded } from '../core/request/request.ts';

/** Between looks at the outbox, timers and dead letters when there was nothing: a look costs some 20 microseconds. */
const IDLE_MS = 10;
const REQUEST_BATCH = 100;
const TASK_BATCH = 400;
const DEAD_BATCH = 10;
/** Requests advanced at the same time, a share each by turns: what one has in memory, so many times. Sizing mostly waits for the edge. */
const ADVANCED_AT_ONCE = 8;
/** Timers and dead letters are looked at this seldom: nobody waits for them by the millisecond. */
const SLOW_MS = 250;
/** An agent of an earlier run may outlive it for a moment and then be killed, which nobody here is told of. */
const LEASE_LOOK_MS = 2000;
/** Versions before took any number of POPs; what has more than this would be all that the process has room for. */
const MOST_POPS_RESUMED = 10 * MAX_POPS;

export interface PipelineLoopOptions {
  readonly stores: EmbeddedStores;
  readonly pipeline: Pipeline;
  /** Told of each request's end once, but for a kill just then; the pipeline itself tells it again whenever it does the side effects again. */
  readonly events: Events;
  readonly clock: Clock;
  readonly onFatal: (error: unknown) => void;
}

export interface PipelineLoop {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Feeds the pipeline with what changed, as table streams, schedules and the dead-letter queue do in AWS. */
export function runPipelineLoop({ stores, pipeline, events, clock, onFatal }: PipelineLoopOptions): PipelineLoop {
  const limit = pLimit(ADVANCED_AT_ONCE);
  const advancing = new Map<string, Promise<void>>();
  let stopped = false;
  let lastSlowLook = 0;
  let lastLeaseLook = clock.now();
  let looping: Promise<void> = Promise.resolve();

  const work = {
    store: stores.store,
    pipeline: { advance: (id: string) => limit(async () => (stopped ? NOTHING : pipeline.advance(id))) },
  };
  const budget: AdvanceBudget = {
    statuses: ACTIVE_STATUSES,
    async allows(_, inMs) {
      if (!stopped && inMs > 0) await sleep(clock, inMs);
      return !stopped;
    },
    isHalted: () => stopped,
  };

  /** One at a time per request; a change that comes meanwhile is seen by the advance under way, which looks at the row each time. */
  function startAdvancing(id: string): void {
    if (advancing.has(id)) return;
    const advanced = advanceUntil(work, id, budget).then(() => {}, onFatal);
    advancing.set(id, advanced);
    void advanced.finally(() => advancing.delete(id));
  }

  async function takeRequestChanges(): Promise<boolean> {
    const changes = stores.outbox.take('request', REQUEST_BATCH);
    for (const id of new Set(changes.map((change) => change.requestId))) {
      const row = await stores.store.get(id);
      if (row === null) continue;
      if (isEnded(row.status)) await pipeline.end(id, row.status, row.statusReason);
      else startAdvancing(id);
    }
    stores.outbox.acknowledge(changes.map((change) => change.sequence));
    return changes.length > 0;
  }

  async function takeEnds(): Promise<void> {
    for (const { requestId, sequence } of stores.outbox.take('end', REQUEST_BATCH)) {
      const row = await stores.store.get(requestId);
      if (row !== null) await events.requestEnded(row);
      // Each by itself, so that a kill can make few be told twice.
      stores.outbox.acknowledge([sequence]);
    }
  }

  async function takeTaskRecords(): Promise<boolean> {
    const records = stores.outbox.take('task', TASK_BATCH);
    if (records.length === 0) return false;
    await pipeline.aggregate(records.map(({ requestId, taskId }) => ({ requestId, taskId: taskId ?? '' })));
    stores.outbox.acknowledge(records.map((record) => record.sequence));
    return true;
  }

  async function takeDue(): Promise<void> {
    const now = clock.now();
    if (Math.abs(now - lastSlowLook) < SLOW_MS) return;
    lastSlowLook = now;
    if (Math.abs(now - lastLeaseLook) >= LEASE_LOOK_MS) {
      lastLeaseLook = now;
      await stores.tasks.freeDeadLeases();
    }
    const due = stores.timers.takeDue(now, REQUEST_BATCH);
    for (const timer of due) await pipeline.fireTimer(timer.requestId);
    stores.timers.acknowledge(due);
    for (const dead of await stores.tasks.receiveDead(DEAD_BATCH)) {
      await pipeline.recordDead(dead.message);
      await stores.tasks.deleteDead(dead.receipt);
    }
  }

  /** What was active when an earlier process ended goes on, or ends if it can only do harm. */
  async function resume(): Promise<void> {
    for (const { id, popCount } of await stores.store.listActive()) {
      if (popCount <= MOST_POPS_RESUMED) startAdvancing(id);
      else await pipeline.end(id, 'FAILED', `has ${popCount} POPs; a request takes ${MAX_POPS} at most, so make several requests`);
    }
  }

  async function loop(): Promise<void> {
    while (!stopped) {
      const changed = await takeRequestChanges();
      await takeEnds();
      const recorded = await takeTaskRecords();
      await takeDue();
      if (!changed && !recorded) await sleep(clock, IDLE_MS);
    }
  }

  return {
    async start() {
      await resume();
      looping = loop().catch(onFatal);
    },
    async stop() {
      stopped = true;
      pipeline.halt();
      await looping;
      await Promise.all(advancing.values());
    },
  };
}
