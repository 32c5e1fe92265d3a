import { type Clock, sleep } from '../clock.ts';
import { retry, type RetryPlan } from '../retry.ts';
import { PrewarmError } from '../errors.ts';
import type { AgentPorts } from '../ports/ports.ts';
import type { Leased } from '../ports/queue.ts';
import { recordTask } from './record-task.ts';
import { isActive } from '../request/request.ts';
import type { TaskMessage } from './task.ts';
import { createLanes } from './lanes.ts';
import { createLeaseKeeper, type LeaseKeeper } from './lease-keeper.ts';
import { createProgressMeter } from './progress-meter.ts';
import { createRequestCache } from './request-cache.ts';
import { createFindings } from './separate-caches.ts';
import { createSliceReader } from './slice-reader.ts';
import { createSpecReader } from './spec-reader.ts';
import { createTaskRun, type TaskResult, type TaskRun } from './task-run.ts';

export interface AgentOptions {
  readonly agentId: string;
  /** How long a received task is held without a heartbeat. */
  readonly leaseMs: number;
  /** Between looks at the request's status, heartbeats, and reports of provisional progress. */
  readonly beatMs: number;
  /** Least time between two reports of provisional progress, where each costs money; absent: one each beat. */
  readonly reportMs?: number;
  /** How long one receive waits for a task. */
  readonly receiveWaitMs: number;
  /** Exactly this many downloads in flight; null: the agent finds out by itself. */
  readonly concurrency: number | null;
  /** Where the agent finds out: never fewer in flight than that while there is work; absent: as few as relieves a POP in trouble. */
  readonly floor?: number;
  readonly random: () => number;
  /** Share of the time since the last call in which the event loop was busy, 0 to 1. */
  readonly load: () => number;
  readonly observer?: AgentObserver;
}

/** What became of a task in an agent's hands. `unwanted`: recorded before, or its request had ended. */
export type TaskEnd = 'recorded' | 'unwanted' | 'hand_back' | 'lane_full' | 'request_ended' | 'lease_lost';

/** Is told what an agent does, for logs and for those who may end its machine. */
export interface AgentObserver {
  /** How many tasks it holds; at every change. */
  held(tasks: number): void;
  /** `targets`: of the task, those that were finished. */
  ended(how: TaskEnd, targets: number): void;
  /** A store or queue refused, and is asked again. */
  refused(error: unknown): void;
}

export interface Agent {
  /** Works tasks until stopped. Rejects when results cannot be recorded or on a fault of the program: the process ends then, and its leases come back. */
  run(): Promise<void>;
  /** Receives nothing more and gives unfinished tasks back; resolves when none is held. */
  stop(): Promise<void>;
}

/** A task in this agent's hands. `ending`: why it is being dropped. */
interface Held {
  readonly lease: Leased<TaskMessage>;
  readonly heldAt: number;
  readonly keeper: LeaseKeeper;
  run: TaskRun | null;
  ending: Exclude<TaskEnd, 'recorded' | 'unwanted'> | null;
}

const ADAPT_MS = 50;
const RETRY_PAUSES_MS = [50, 200, 800, 2000] as const;
const MAX_RECEIVE = 10;
/** A task that could not begin for this long, while slots were free, waits for a slow POP or origin; others must not wait with it. */
const BLOCKED_MS = 3000;
/** For so long nobody receives it again. */
const PASSED_ON_FOR_MS = 3000;

const SILENT: AgentObserver = { held() {}, ended() {}, refused() {} };

/** Tries again what a store or queue refused for the moment; a full disk stays full. */
function createPersist(clock: Clock, observer: AgentObserver) {
  const plan: RetryPlan = {
    tries: RETRY_PAUSES_MS.length + 1,
    pauseMs: (tried) => RETRY_PAUSES_MS[tried - 1] ?? 0,
    mayPass(error) {
      if (error instanceof PrewarmError && error.code === 'storage_full') return false;
      observer.refused(error);
      return true;
    },
  };
  return <T>(act: () => Promise<T>): Promise<T> => retry(clock, plan, act);
}

export function createAgent(ports: AgentPorts, options: AgentOptions): Agent {
  const { clock, tasks, store } = ports;
  const { observer = SILENT } = options;
  const persist = createPersist(clock, observer);
  const lanes = createLanes(clock, options.concurrency, options.floor);
  const slices = createSliceReader(ports.lists);
  const meter = createProgressMeter(clock, store, options.agentId, (id) => lanes.inFlightOf(id), options.reportMs);
  const held = new Set<Held>();
  const requests = createRequestCache(clock, (id) => persist(() => store.get(id)), options.beatMs);
  const specs = createSpecReader(ports, persist);
  const findings = createFindings();
  const waitForTasks = new AbortController();
  const fatal = Promise.withResolvers<never>();
  fatal.promise.catch(() => {});
  let stopping = false;
  let changed = Promise.withResolvers<void>();
  let rowsPerTask = 1;

  function tellChanged(): void {
    changed.resolve();
    changed = Promise.withResolvers();
  }

  function drop(one: Held, why: NonNullable<Held['ending']>): void {
    one.ending ??= why;
    one.run?.scope.cancel();
  }

  async function giveBack(one: Held, delayMs: number): Promise<void> {
    // A fresh copy first: between the two calls the task exists twice rather than not at all.
    await persist(() => tasks.send([one.lease.message], delayMs));
    await persist(() => tasks.delete(one.lease.receipt));
  }

  async function workTask(one: Held): Promise<TaskEnd> {
    const task = one.lease.message;
    if (one.ending === 'hand_back') {
      await giveBack(one, 0);
      return one.ending;
    }
    const row = await requests.read(task.requestId);
    const isWanted = row !== null && isActive(row.status) && !(await persist(() => store.hasTask(task.requestId, task.taskId)));
    const spec = isWanted ? await specs.read(task, row) : null;
    if (spec === null) {
      await persist(() => tasks.delete(one.lease.receipt));
      return 'unwanted';
    }
    const rows = await persist(() => slices.read(task));
    const run = createTaskRun(
      { downloader: ports.downloader, clock, random: options.random, lanes, sameCity: ports.sameCity },
      task,
      spec,
      rows,
      findings.of(task.requestId, task.pop),
    );
    one.run = run;
    if (one.ending !== null) run.scope.cancel();
    meter.begin(task.requestId, run);
    const result = await run.run();
    tellChanged();
    await settle(one, result);
    meter.end(task.requestId, run, result !== null);
    return result === null ? (one.ending ?? 'lease_lost') : 'recorded';
  }

  /** Records what came of the task, or does with its message what its ending asks for. */
  async function settle(one: Held, result: TaskResult | null): Promise<void> {
    const task = one.lease.message;
    if (result !== null) {
      await persist(() => recordTask(ports, task, result.rows, result.counters));
      await persist(() => tasks.delete(one.lease.receipt));
    } else if (one.ending === 'hand_back') await giveBack(one, 0);
    else if (one.ending === 'lane_full') await giveBack(one, Math.max(PASSED_ON_FOR_MS, one.run?.heldMs ?? 0));
    else if (one.ending === 'request_ended') await persist(() => tasks.delete(one.lease.receipt));
  }

  function hold(lease: Leased<TaskMessage>): void {
    const one: Held = {
      lease,
      heldAt: clock.now(),
      keeper: createLeaseKeeper(clock, tasks, lease.receipt, options.leaseMs, (error) => observer.refused(error)),
      run: null,
      ending: stopping ? 'hand_back' : null,
    };
    held.add(one);
    observer.held(held.size);
    rowsPerTask = lease.message.slice.rows;
    workTask(one).then((how) => {
      held.delete(one);
      observer.ended(how, one.run?.finished ?? 0);
      observer.held(held.size);
      tellChanged();
    }, fatal.reject);
  }

  async function renew(one: Held): Promise<void> {
    if (!(await one.keeper.renew())) drop(one, 'lease_lost');
  }

  /** Drops what is held for requests that ended. Returns the requests that something is held for. */
  async function lookAtRequests(): Promise<ReadonlySet<string>> {
    const active = new Set<string>();
    for (const one of held) {
      const { requestId } = one.lease.message;
      active.add(requestId);
      const row = await requests.read(requestId);
      if (row === null || !isActive(row.status)) drop(one, 'request_ended');
    }
    return active;
  }

  async function beat(): Promise<void> {
    const [active] = await Promise.all([lookAtRequests(), ...[...held].map(renew)]);
    requests.forgetOthers(active);
    specs.forgetOthers(active);
    findings.forgetOthers(active);
    lanes.forgetOthers(active);
    await meter.report();
  }

  async function beatUntilStopped(): Promise<void> {
    while (!stopping || held.size > 0) {
      await sleep(clock, options.beatMs);
      await beat();
    }
  }

  async function adaptUntilStopped(): Promise<void> {
    while (!stopping) {
      await sleep(clock, ADAPT_MS);
      lanes.observeLoad(options.load());
    }
  }

  /** At most what can start now plus one task: a task that waits here waits for nobody else. */
  function hasWaitingTask(): boolean {
    for (const one of held) if (one.run === null || one.run.isWaiting) return true;
    return false;
  }

  /**
   * Gives a blocked task back for a while: what comes after it in the queue may be for another request or POP. At once where the POP asked
   * for a wait that is longer than one would be patient here.
   */
  function passOnBlocked(): void {
    if (lanes.free() === 0) return;
    for (const one of held) {
      if (one.run?.isWaiting !== true) continue;
      if (one.run.heldMs > BLOCKED_MS || Math.abs(clock.now() - one.heldAt) > BLOCKED_MS) drop(one, 'lane_full');
    }
  }

  async function receiveUntilStopped(): Promise<void> {
    while (!stopping) {
      if (hasWaitingTask()) {
        passOnBlocked();
        await Promise.race([changed.promise, sleep(clock, ADAPT_MS)]);
        continue;
      }
      const max = Math.max(1, Math.min(MAX_RECEIVE, Math.floor(lanes.free() / rowsPerTask)));
      const leases = await persist(() => tasks.receive(max, options.receiveWaitMs, waitForTasks.signal));
      for (const lease of leases) hold(lease);
    }
    while (held.size > 0) await changed.promise;
  }

  let running: Promise<void> = Promise.resolve();
  return {
    run() {
      beatUntilStopped().catch(fatal.reject);
      adaptUntilStopped().catch(fatal.reject);
      running = Promise.race([receiveUntilStopped(), fatal.promise]);
      return running;
    },
    async stop() {
      stopping = true;
      waitForTasks.abort();
      for (const one of held) drop(one, 'hand_back');
      await running;
      lanes.close();
    },
  };
}
