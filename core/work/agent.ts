import { type Clock, sleep } from '../clock.ts';
import { retry, type RetryPlan } from '../retry.ts';
import { PrewarmError } from '../errors.ts';
import type { AgentPorts } from '../ports/ports.ts';
import type { Leased } from '../ports/queue.ts';
import { recordTask } from './record-task.ts';
import { isActive } from '../request/request.ts';
import type { TaskMessage } from './task.ts';
import { createLanes, type Lanes } from './lanes.ts';
import { createLeaseKeeper, type LeaseKeeper } from './lease-keeper.ts';
import { createProgressMeter, type ProgressMeter } from './progress-meter.ts';
import { createRequestCache, type RequestCache } from './request-cache.ts';
import { createFindings } from './separate-caches.ts';
import { createSliceReader, type SliceReader } from './slice-reader.ts';
import { createSpecReader, type SpecReader } from './spec-reader.ts';
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

/** The three loops of an agent (receive, beat, adapt) over the tasks that it holds. */
class TaskAgent implements Agent {
  readonly #ports: AgentPorts;
  readonly #options: AgentOptions;
  readonly #observer: AgentObserver;
  readonly #persist: ReturnType<typeof createPersist>;
  readonly #lanes: Lanes;
  readonly #slices: SliceReader;
  readonly #meter: ProgressMeter;
  readonly #requests: RequestCache;
  readonly #specs: SpecReader;
  readonly #findings = createFindings();
  readonly #held = new Set<Held>();
  readonly #waitForTasks = new AbortController();
  readonly #fatal = Promise.withResolvers<never>();
  #stopping = false;
  #changed = Promise.withResolvers<void>();
  #rowsPerTask = 1;
  #running: Promise<void> = Promise.resolve();

  constructor(ports: AgentPorts, options: AgentOptions) {
    const { clock, store } = ports;
    this.#ports = ports;
    this.#options = options;
    this.#observer = options.observer ?? SILENT;
    this.#persist = createPersist(clock, this.#observer);
    this.#lanes = createLanes(clock, options.concurrency, options.floor);
    this.#slices = createSliceReader(ports.lists);
    this.#meter = createProgressMeter(clock, store, options.agentId, (id) => this.#lanes.inFlightOf(id), options.reportMs);
    this.#requests = createRequestCache(clock, (id) => this.#persist(() => store.get(id)), options.beatMs);
    this.#specs = createSpecReader(ports, this.#persist);
    this.#fatal.promise.catch(() => {});
  }

  run(): Promise<void> {
    this.#beatUntilStopped().catch(this.#fatal.reject);
    this.#adaptUntilStopped().catch(this.#fatal.reject);
    this.#running = Promise.race([this.#receiveUntilStopped(), this.#fatal.promise]);
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#waitForTasks.abort();
    for (const one of this.#held) this.#drop(one, 'hand_back');
    await this.#running;
    this.#lanes.close();
  }

  #tellChanged(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #drop(one: Held, why: NonNullable<Held['ending']>): void {
    one.ending ??= why;
    one.run?.scope.cancel();
  }

  async #giveBack(one: Held, delayMs: number): Promise<void> {
    // A fresh copy first: between the two calls the task exists twice rather than not at all.
    await this.#persist(() => this.#ports.tasks.send([one.lease.message], delayMs));
    await this.#persist(() => this.#ports.tasks.delete(one.lease.receipt));
  }

  async #workTask(one: Held): Promise<TaskEnd> {
    const task = one.lease.message;
    if (one.ending === 'hand_back') {
      await this.#giveBack(one, 0);
      return one.ending;
    }
    const row = await this.#requests.read(task.requestId);
    const isWanted =
      row !== null && isActive(row.status) && !(await this.#persist(() => this.#ports.store.hasTask(task.requestId, task.taskId)));
    const spec = isWanted ? await this.#specs.read(task, row) : null;
    if (spec === null) {
      await this.#persist(() => this.#ports.tasks.delete(one.lease.receipt));
      return 'unwanted';
    }
    const rows = await this.#persist(() => this.#slices.read(task));
    const run = createTaskRun(
      {
        downloader: this.#ports.downloader,
        clock: this.#ports.clock,
        random: this.#options.random,
        lanes: this.#lanes,
        sameCity: this.#ports.sameCity,
      },
      task,
      spec,
      rows,
      this.#findings.of(task.requestId, task.pop),
    );
    one.run = run;
    if (one.ending !== null) run.scope.cancel();
    this.#meter.begin(task.requestId, run);
    const result = await run.run();
    this.#tellChanged();
    await this.#settle(one, result);
    this.#meter.end(task.requestId, run, result !== null);
    return result === null ? (one.ending ?? 'lease_lost') : 'recorded';
  }

  /** Records what came of the task, or does with its message what its ending asks for. */
  async #settle(one: Held, result: TaskResult | null): Promise<void> {
    const task = one.lease.message;
    if (result !== null) {
      await this.#persist(() => recordTask(this.#ports, task, result.rows, result.counters));
      await this.#persist(() => this.#ports.tasks.delete(one.lease.receipt));
    } else if (one.ending === 'hand_back') await this.#giveBack(one, 0);
    else if (one.ending === 'lane_full') await this.#giveBack(one, Math.max(PASSED_ON_FOR_MS, one.run?.heldMs ?? 0));
    else if (one.ending === 'request_ended') await this.#persist(() => this.#ports.tasks.delete(one.lease.receipt));
  }

  #hold(lease: Leased<TaskMessage>): void {
    const one: Held = {
      lease,
      heldAt: this.#ports.clock.now(),
      keeper: createLeaseKeeper(this.#ports.clock, this.#ports.tasks, lease.receipt, this.#options.leaseMs, (error) =>
        this.#observer.refused(error),
      ),
      run: null,
      ending: this.#stopping ? 'hand_back' : null,
    };
    this.#held.add(one);
    this.#observer.held(this.#held.size);
    this.#rowsPerTask = lease.message.slice.rows;
    this.#workTask(one).then((how) => {
      this.#held.delete(one);
      this.#observer.ended(how, one.run?.finished ?? 0);
      this.#observer.held(this.#held.size);
      this.#tellChanged();
    }, this.#fatal.reject);
  }

  async #renew(one: Held): Promise<void> {
    if (!(await one.keeper.renew())) this.#drop(one, 'lease_lost');
  }

  /** Drops what is held for requests that ended. Returns the requests that something is held for. */
  async #lookAtRequests(): Promise<ReadonlySet<string>> {
    const active = new Set<string>();
    for (const one of this.#held) {
      const { requestId } = one.lease.message;
      active.add(requestId);
      const row = await this.#requests.read(requestId);
      if (row === null || !isActive(row.status)) this.#drop(one, 'request_ended');
    }
    return active;
  }

  async #beat(): Promise<void> {
    const [active] = await Promise.all([this.#lookAtRequests(), ...[...this.#held].map((one) => this.#renew(one))]);
    this.#requests.forgetOthers(active);
    this.#specs.forgetOthers(active);
    this.#findings.forgetOthers(active);
    this.#lanes.forgetOthers(active);
    await this.#meter.report();
  }

  async #beatUntilStopped(): Promise<void> {
    while (!this.#stopping || this.#held.size > 0) {
      await sleep(this.#ports.clock, this.#options.beatMs);
      await this.#beat();
    }
  }

  async #adaptUntilStopped(): Promise<void> {
    while (!this.#stopping) {
      await sleep(this.#ports.clock, ADAPT_MS);
      this.#lanes.observeLoad(this.#options.load());
    }
  }

  /** At most what can start now plus one task: a task that waits here waits for nobody else. */
  #hasWaitingTask(): boolean {
    for (const one of this.#held) if (one.run === null || one.run.isWaiting) return true;
    return false;
  }

  /**
   * Gives a blocked task back for a while: what comes after it in the queue may be for another request or POP. At once where the POP asked
   * for a wait that is longer than one would be patient here.
   */
  #passOnBlocked(): void {
    if (this.#lanes.free() === 0) return;
    for (const one of this.#held) {
      if (one.run?.isWaiting !== true) continue;
      if (one.run.heldMs > BLOCKED_MS || Math.abs(this.#ports.clock.now() - one.heldAt) > BLOCKED_MS) this.#drop(one, 'lane_full');
    }
  }

  async #receiveUntilStopped(): Promise<void> {
    while (!this.#stopping) {
      if (this.#hasWaitingTask()) {
        this.#passOnBlocked();
        await Promise.race([this.#changed.promise, sleep(this.#ports.clock, ADAPT_MS)]);
        continue;
      }
      const max = Math.max(1, Math.min(MAX_RECEIVE, Math.floor(this.#lanes.free() / this.#rowsPerTask)));
      const leases = await this.#persist(() => this.#ports.tasks.receive(max, this.#options.receiveWaitMs, this.#waitForTasks.signal));
      for (const lease of leases) this.#hold(lease);
    }
    while (this.#held.size > 0) await this.#changed.promise;
  }
}

export function createAgent(ports: AgentPorts, options: AgentOptions): Agent {
  return new TaskAgent(ports, options);
}
