import type { Outbox, OutboxTopic } from '../../../adapters/embedded/outbox.ts';
import type { SqliteQueue } from '../../../adapters/embedded/sqlite-queue.ts';
import { sleep } from '../../../core/clock.ts';
import { createPipeline, type Pipeline } from '../../../core/pipeline/create-pipeline.ts';
import type { PipelinePorts } from '../../../core/ports/ports.ts';
import { isEnded } from '../../../core/request/request.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import { faultyLists, faultyQueue, faultyStore, throughProcess, type SimQueue } from './faulty-ports.ts';
import type { SimFleet } from './sim-fleet.ts';
import { type Host, InjectedFault, type SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

type OutboxRecord = ReturnType<Outbox['take']>[number];

/** Runs the pipeline, and is started again whenever it ends. */
export interface SimWorker {
  readonly host: Host;
  /** The incarnation that runs now; null: none does. */
  running(): { readonly process: SimProcess; readonly pipeline: Pipeline; readonly ports: SimPorts } | null;
}

const IDLE_MS = 50;
const SLOW_MS = 250;
const FLEET_TIMER_MS = 60_000;
const MAX_DOWN_MS = 8000;
const MAX_RETRY_MS = 2000;

export function startSimWorker(world: World, fleet: SimFleet, number: number): SimWorker {
  const host: Host = { name: `worker-${number}`, offsetMs: 0 };
  const random = world.random.fork(host.name);
  let running: ReturnType<SimWorker['running']> = null;
  let incarnations = 0;
  let lastHolder: string | null = null;

  function start(): void {
    incarnations += 1;
    const name = `${host.name}.${incarnations}`;
    const process = world.startProcess(name, host, () => {
      running = null;
      if (world.scenario.isProcessTree) fleet.orphan();
      world.time.after(random.between(0, MAX_DOWN_MS), start);
    });
    const queue = world.queueFor(process.clock, name);
    const ports = portsOf(world, fleet, process, queue);
    const pipeline = createPipeline(ports, world.scenario.limits);
    running = { process, pipeline, ports };
    const dead = lastHolder;
    lastHolder = name;
    feed(world, process, ports, pipeline, () => (dead === null || !world.scenario.freesLeases ? null : queue.freeLeases(dead)));
  }

  start();
  return { host, running: () => running };
}

type SimPorts = PipelinePorts & { readonly tasks: SimQueue };

function portsOf(world: World, fleet: SimFleet, process: SimProcess, queue: SqliteQueue<TaskMessage>): SimPorts {
  return {
    store: faultyStore(process, world.faults, world.storeFor(process.clock)),
    lists: faultyLists(process, world.faults, world.lists),
    viewerHeaders: null,
    tasks: faultyQueue(process, world.faults, queue),
    timers: throughProcess(process, 'timers', {
      set: (id: string, at: number) => world.timers.set(id, at),
      cancel: (id: string) => world.timers.cancel(id),
    }),
    fleet: {
      maximum: fleet.maximum,
      ...throughProcess(process, 'fleet', {
        getCapacity: () => fleet.getCapacity(),
        setCapacity: (agents: number) => fleet.setCapacity(agents),
      }),
    },
    invalidations: world.edge.invalidationsFor(process),
    resolver: world.edge.resolverFor(process),
    downloader: world.edge.downloaderFor(process),
    events: {
      requestEnded: (row) =>
        process.call(`events.requestEnded ${row.id} ${row.status}`, async () => {
          if (!world.toldEnded.has(row.id)) world.toldEnded.set(row.id, world.time.now());
          if (!isEnded(row.status)) world.journal.violated(`the bus was told of the end of ${row.id}, which is ${row.status}`);
          // A caller that was slow or had to try again may have set another timer meanwhile, which ends nothing when it fires.
          const hasTimer = world.timers.takeDue(Number.MAX_SAFE_INTEGER, 10).some(({ requestId }) => requestId === row.id);
          if (hasTimer && world.faults.seen.size === 0)
            world.journal.violated(`the bus was told of the end of ${row.id}, whose timer is still on`);
        }),
    },
    clock: process.clock,
  };
}

/** Feeds the pipeline with what changed, as streams, schedules and dead letters do: at least once, late, in any order. */
function feed(world: World, process: SimProcess, ports: SimPorts, pipeline: Pipeline, freeLeases: () => Promise<number> | null): void {
  const { faults, outbox, timers } = world;
  const { random, name, clock } = process;
  const advancing = new Set<string>();
  const strikes = (kind: Parameters<typeof faults.strikes>[0]) => faults.strikes(kind, random, name);

  /** Does it until it succeeds, as streams and queues have their functions do. */
  async function retried<T>(step: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (!(error instanceof InjectedFault)) world.journal.violated(`a step of the pipeline failed: ${stackOf(error)}`);
        await sleep(clock, random.between(0, MAX_RETRY_MS));
      }
    }
  }

  async function advance(id: string): Promise<void> {
    if (advancing.has(id)) return;
    advancing.add(id);
    for (;;) {
      const step = await retried(() => pipeline.advance(id));
      if (step.next === 'nothing') break;
      if (step.next === 'later') await sleep(clock, step.inMs);
    }
    advancing.delete(id);
  }

  function take(topic: OutboxTopic): OutboxRecord[] {
    const told = outbox.take(topic, random.pick([1, 3, 100])).filter(() => !strikes('record_held'));
    const again = told.filter(() => strikes('record_again'));
    return strikes('records_shuffled') ? random.shuffled([...told, ...again]) : [...told, ...again];
  }

  async function acknowledge(records: readonly OutboxRecord[]): Promise<void> {
    const dealtWith = records.filter(() => !strikes('record_again')).map(({ sequence }) => sequence);
    await retried(() => process.call(`outbox.acknowledge [${dealtWith.length}]`, async () => outbox.acknowledge(dealtWith)));
  }

  async function takeRequestChanges(): Promise<void> {
    const changes = take('request');
    for (const { requestId } of changes) {
      const row = await retried(() => ports.store.get(requestId));
      if (row === null) continue;
      const { status, statusReason } = row;
      if (isEnded(status)) await retried(() => pipeline.end(requestId, status, statusReason));
      else void advance(requestId);
    }
    if (changes.length > 0) await acknowledge(changes);
  }

  async function takeTaskRecords(): Promise<void> {
    const records = take('task');
    if (records.length === 0) return;
    await retried(() => pipeline.aggregate(records.map(({ requestId, taskId }) => ({ requestId, taskId: taskId ?? '' }))));
    await acknowledge(records);
  }

  async function takeTimersAndDead(): Promise<void> {
    const due = timers.takeDue(clock.now(), 10);
    for (const { requestId } of due) {
      await retried(() => pipeline.fireTimer(requestId));
      if (strikes('timer_twice')) await retried(() => pipeline.fireTimer(requestId));
    }
    if (!strikes('timer_twice')) timers.acknowledge(due);
    for (const { message, receipt } of await retried(() => ports.tasks.receiveDead(10))) {
      await retried(() => pipeline.recordDead(message));
      await retried(() => ports.tasks.deleteDead(receipt));
    }
  }

  async function every(ms: number, work: () => Promise<void>): Promise<void> {
    for (;;) {
      await work();
      await sleep(clock, ms);
    }
  }

  async function run(): Promise<void> {
    await freeLeases();
    for (const { id } of await retried(() => ports.store.listActive())) void advance(id);
    await retried(() => pipeline.reconcileFleet());
    const loops = [every(IDLE_MS, takeRequestChanges), every(IDLE_MS, takeTaskRecords), every(SLOW_MS, takeTimersAndDead)];
    if (world.scenario.hasFleetTimer) loops.push(every(FLEET_TIMER_MS, () => retried(() => pipeline.reconcileFleet()).then(() => {})));
    await Promise.all(loops);
  }
  run().catch((error: unknown) => world.journal.violated(`a worker failed: ${stackOf(error)}`));
}

export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
