import type { Downloader } from '../../../core/ports/downloader.ts';
import type { Fleet } from '../../../core/ports/fleet.ts';
import { createAgent } from '../../../core/work/agent.ts';
import { popCatalogue } from '../../../data/catalogue.ts';
import type { Faults } from './faults.ts';
import { faultyLists, faultyQueue, faultyStore } from './faulty-ports.ts';
import { requestOf } from './model-edge.ts';
import { plantInDownloader } from './planted-bugs.ts';
import { type Host, InjectedFault, type SimProcess } from './sim-process.ts';
import { stackOf } from './sim-worker.ts';
import type { World } from './world.ts';

/** Agents as an Auto Scaling group or a parent keeps them: as many as the capacity says, one that ends is replaced. */
export interface SimFleet extends Omit<Fleet, 'inspect'> {
  readonly capacity: number;
  processes(): readonly SimProcess[];
  /** Hands one agent a SIGTERM; another takes its place. */
  terminate(process: SimProcess): void;
  /** Their parent has ended: the agents leave, and no capacity is known to the next one. */
  orphan(): void;
}

interface SimAgent {
  readonly process: SimProcess;
  leaving: boolean;
  run(): void;
  stop(): void;
}

const MAX_REPLACE_MS = 4000;
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 10_000;
/** How long after the calm a process may still be frozen, or wait for a slow answer. */
const AFTERMATH_MS = 40_000;
/** After the end of its request. */
const STOPS_WITHIN_MS = 5000;
/** Where calls take longer than this, an agent with several tasks in its hands is slow to notice anything. */
export const BRISK_MS = 30;

const isCalm = ({ calmFrom }: Faults, at: number) => calmFrom === 0 || at > calmFrom + AFTERMATH_MS;

export function createSimFleet(world: World): SimFleet {
  const { scenario, time, faults, journal } = world;
  const random = world.random.fork('fleet');
  const agents = new Set<SimAgent>();
  let capacity = 0;
  let started = 0;

  function replace(): void {
    time.after(random.between(0, MAX_REPLACE_MS), reconcile);
  }

  function start(): void {
    started += 1;
    const name = `agent-${started}`;
    const host: Host = { name, offsetMs: 0 };
    const process = world.startProcess(name, host, (why) => {
      agents.delete(agent);
      if (why !== 'done') faults.disturbed('agent died');
      if (scenario.freesLeases) time.after(random.between(0, 500), () => void world.queueFor(process.clock, name).freeLeases(name));
      replace();
    });
    const agent = createSimAgent(world, process);
    agents.add(agent);
    agent.run();
  }

  function retire(agent: SimAgent): void {
    if (agent.leaving) return;
    agent.leaving = true;
    // Without capacity nobody wants what it works on.
    if (capacity > 0) faults.disturbed('agent left');
    journal.note(agent.process.name, 'SIGTERM');
    agent.stop();
    time.after(KILL_AFTER_MS, () => {
      if (!agent.process.alive) return;
      if (isCalm(faults, time.now() - KILL_AFTER_MS)) journal.violated('an agent did not end within 10 s of its SIGTERM');
      agent.process.end('SIGKILL');
    });
  }

  function reconcile(): void {
    const staying = [...agents].filter(({ leaving }) => !leaving);
    for (const agent of staying.slice(capacity)) retire(agent);
    for (let count = staying.length; count < capacity; count++) start();
  }

  return {
    maximum: scenario.maximumAgents,
    get capacity() {
      return capacity;
    },
    getCapacity: async () => capacity,
    setCapacity: async (wanted) => {
      capacity = wanted;
      reconcile();
    },
    processes: () => [...agents].map(({ process }) => process),
    orphan: () => {
      faults.disturbed('agent left');
      capacity = 0;
      reconcile();
    },
    terminate: (process) => {
      for (const agent of agents) if (agent.process === process) retire(agent);
      replace();
    },
  };
}

function createSimAgent(world: World, process: SimProcess): SimAgent {
  const queue = world.queueFor(process.clock, process.name);
  const agent = createAgent(
    {
      store: faultyStore(process, world.faults, world.storeFor(process.clock)),
      lists: faultyLists(process, world.faults, world.lists),
      viewerHeaders: null,
      tasks: faultyQueue(process, world.faults, queue),
      downloader: watchDownloads(world, process),
      clock: process.clock,
      sameCity: (a, b) => popCatalogue().sameCity(a, b),
    },
    { ...world.scenario.agent, agentId: process.name, random: () => process.random.next(), load: () => 0.5 },
  );
  const failed = (error: unknown) => {
    if (!(error instanceof InjectedFault)) world.journal.violated(`an agent failed: ${stackOf(error)}`);
    process.end('cannot go on');
  };
  return {
    process,
    leaving: false,
    run: () => {
      agent.run().catch(failed);
    },
    stop: () => {
      agent.stop().then(() => process.end('done'), failed);
    },
  };
}

/** Nobody downloads for a request that is over, where no fault keeps the agent from knowing. */
function watchDownloads({ edge, bug, time, faults, scenario, journal, toldEnded }: World, process: SimProcess): Downloader {
  const downloader = plantInDownloader(bug, edge.downloaderFor(process));
  return {
    ...downloader,
    ask: (ask) => {
      const endedAt = toldEnded.get(requestOf(ask)) ?? Number.POSITIVE_INFINITY;
      if (isCalm(faults, time.now()) && scenario.pace.maximumMs <= BRISK_MS && time.now() > endedAt + STOPS_WITHIN_MS) {
        journal.violated(`an agent still downloads 5 s after the end of ${requestOf(ask)}`);
      }
      return downloader.ask(ask);
    },
  };
}
