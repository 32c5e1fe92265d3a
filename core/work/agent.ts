import { sleep, type Clock } from '../clock.ts';
import { PrewarmError } from '../errors.ts';
import type { AgentPorts } from '../ports/ports.ts';
import type { Leased } from '../ports/queue.ts';
import { recordTask } from '../record-task.ts';
import { isActive, type RequestRow } from '../request.ts';
import type { TaskMessage } from '../task.ts';
import { createLanes } from './lanes.ts';
import { createProgressMeter } from './progress-meter.ts';
import { SeparateCaches } from './separate-caches.ts';
import { createSliceReader } from './slice-reader.ts';
import { createTaskRun, type TaskRun } from './task-run.ts';

export interface AgentOptions {
  readonly agentId: string;
  /** How long a received task is held without a heartbeat. */
  readonly leaseMs: number;
  /** Between looks at the request's status, heartbeats, and reports of provisional progress. */
  readonly beatMs: number;
  /** How long one receive waits for a task. */
  readonly receiveWaitMs: number;
  /** Exactly this many downloads in flight; null: the agent finds out by itself. */
  readonly concurrency: number | null;
  readonly random: () => number;
  /** Share of the time since the last call in which the event loop was busy, 0 to 1. */
  readonly load: () => number;
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
  leaseEnds: number;
  run: TaskRun | null;
  ending: 'hand_back' | 'lane_full' | 'request_ended' | 'lease_lost' | null;
}

const ADAPT_MS = 50;
const RETRY_PAUSES_MS = [50, 200, 800, 2000] as const;
const MAX_RECEIVE = 10;
/** A task that could not begin for this long, while slots were free, waits for a slow POP or origin; others must not wait with it. */
const BLOCKED_MS = 3000;
/** For so long nobody receives it again. */
const PASSED_ON_FOR_MS = 3000;

/** Tries again what a store or queue refused for the moment; a full disk stays full. */
async function persist<T>(clock: Clock, act: () => Promise<T>): Promise<T> {
  for (const pause of RETRY_PAUSES_MS) {
    try {
      return await act();
    } catch (error) {
      if (error instanceof PrewarmError && error.code === 'storage_full') throw error;
      await sleep(clock, pause);
    }
  }
  return act();
}

export function createAgent(ports: AgentPorts, options: AgentOptions): Agent {
  const { clock, tasks, store } = ports;
  const lanes = createLanes(clock, options.concurrency);
  const slices = createSliceReader(ports.lists);
  const meter = createProgressMeter(clock, store, options.agentId);
  const held = new Set<Held>();
  const requests = new Map<string, { readonly row: RequestRow | null; readonly readAt: number }>();
  const findings = new Map<string, SeparateCaches>();
  const fatal = Promise.withResolvers<never>();
  fatal.promise.catch(() => {});
  let stopping = false;
  let changed = Promise.withResolvers<void>();
  let rowsPerTask = 1;

  function tellChanged(): void {
    changed.resolve();
    changed = Promise.withResolvers();
  }

  async function readRequest(id: string): Promise<RequestRow | null> {
    const known = requests.get(id);
    if (known && Math.abs(clock.now() - known.readAt) < options.beatMs) return known.row;
    const row = await persist(clock, () => store.get(id));
    requests.set(id, { row, readAt: clock.now() });
    return row;
  }

  function findingOf(task: TaskMessage): SeparateCaches {
    const key = `${task.requestId} ${task.pop}`;
    let finding = findings.get(key);
    if (!finding) {
      finding = new SeparateCaches();
      findings.set(key, finding);
    }
    return finding;
  }

  function drop(one: Held, why: NonNullable<Held['ending']>): void {
    one.ending ??= why;
    one.run?.scope.cancel();
  }

  async function giveBack(one: Held, delayMs: number): Promise<void> {
    // A fresh copy first: between the two calls the task exists twice rather than not at all.
    await persist(clock, () => tasks.send([one.lease.message], delayMs));
    await persist(clock, () => tasks.delete(one.lease.receipt));
  }

  async function workTask(one: Held): Promise<void> {
    const task = one.lease.message;
    const row = await readRequest(task.requestId);
    const isWanted = row !== null && isActive(row.status) && !(await persist(clock, () => store.hasTask(task.requestId, task.taskId)));
    if (!isWanted) return persist(clock, () => tasks.delete(one.lease.receipt));
    const rows = await persist(clock, () => slices.read(task));
    const run = createTaskRun(
      { downloader: ports.downloader, clock, random: options.random, lanes },
      task,
      row.spec,
      rows,
      findingOf(task),
    );
    one.run = run;
    if (one.ending !== null) run.scope.cancel();
    meter.begin(task.requestId, run);
    const result = await run.run();
    tellChanged();
    if (result !== null) {
      await persist(clock, () => recordTask(ports, task, result.rows, result.counters));
      await persist(clock, () => tasks.delete(one.lease.receipt));
    } else if (one.ending === 'hand_back') await giveBack(one, 0);
    else if (one.ending === 'lane_full') await giveBack(one, PASSED_ON_FOR_MS);
    else if (one.ending === 'request_ended') await persist(clock, () => tasks.delete(one.lease.receipt));
    meter.end(task.requestId, run, result !== null);
  }

  function hold(lease: Leased<TaskMessage>): void {
    const now = clock.now();
    const one: Held = { lease, heldAt: now, leaseEnds: now + options.leaseMs, run: null, ending: stopping ? 'hand_back' : null };
    held.add(one);
    rowsPerTask = lease.message.slice.rows;
    workTask(one).then(() => {
      held.delete(one);
      tellChanged();
    }, fatal.reject);
  }

  async function renew(one: Held): Promise<void> {
    if (one.leaseEnds - clock.now() > (options.leaseMs * 2) / 3) return;
    try {
      if (await tasks.extend(one.lease.receipt, options.leaseMs)) one.leaseEnds = clock.now() + options.leaseMs;
      else drop(one, 'lease_lost');
    } catch (error) {
      // The next beat tries again; a lease that ran out meanwhile may be in other hands.
      if (clock.now() > one.leaseEnds) drop(one, 'lease_lost');
      else if (error instanceof PrewarmError && error.code === 'storage_full') throw error;
    }
  }

  async function beat(): Promise<void> {
    const active = new Set<string>();
    for (const one of held) {
      await renew(one);
      const { requestId } = one.lease.message;
      active.add(requestId);
      const row = await readRequest(requestId);
      if (row === null || !isActive(row.status)) drop(one, 'request_ended');
    }
    for (const id of requests.keys()) if (!active.has(id)) requests.delete(id);
    for (const key of findings.keys()) if (!active.has(key.slice(0, key.indexOf(' ')))) findings.delete(key);
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

  /** Gives a blocked task back for a while: what comes after it in the queue may be for another request or POP. */
  function passOnBlocked(): void {
    if (lanes.free() === 0) return;
    for (const one of held) {
      if (one.run?.isWaiting === true && Math.abs(clock.now() - one.heldAt) > BLOCKED_MS) drop(one, 'lane_full');
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
      const leases = await persist(clock, () => tasks.receive(max, options.receiveWaitMs));
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
      for (const one of held) drop(one, 'hand_back');
      await running;
    },
  };
}
