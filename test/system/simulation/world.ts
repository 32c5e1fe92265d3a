import { type Database, openDatabase } from '../../../adapters/embedded/database.ts';
import { createOutbox, type Outbox } from '../../../adapters/embedded/outbox.ts';
import { createSqliteQueue, type SqliteQueue } from '../../../adapters/embedded/sqlite-queue.ts';
import { createSqliteRequestStore } from '../../../adapters/embedded/sqlite-request-store.ts';
import { createSqliteTimers, type SqliteTimers } from '../../../adapters/embedded/embedded-stores.ts';
import type { Clock } from '../../../core/clock.ts';
import type { ListStore } from '../../../core/ports/list-store.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import { createFaults, type Faults } from './faults.ts';
import { createJournal, type Journal } from './journal.ts';
import { createMemoryListStore } from './memory-list-store.ts';
import { createModelEdge, type ModelEdge } from './model-edge.ts';
import { type Change, createProgressWatch } from './progress-watch.ts';
import { type PlantedBug, plantInLists, plantInOutbox, plantInStore } from './planted-bugs.ts';
import { createRandom, type Random } from '../../../testing/random.ts';
import { createScenario, type Scenario } from './scenario.ts';
import { createSimProcess, type Host, type SimProcess } from './sim-process.ts';
import { createVirtualTime, type VirtualTime } from '../../../testing/virtual-time.ts';

/** What outlives every process of a run: tables, lists, queue, the edge, and time itself. */
export interface World {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly random: Random;
  readonly time: VirtualTime;
  readonly faults: Faults;
  readonly journal: Journal;
  readonly edge: ModelEdge;
  readonly bug: PlantedBug | null;
  readonly lists: ListStore;
  readonly outbox: Outbox;
  readonly timers: SqliteTimers;
  /** When the bus was first told of each request's end, in virtual time. */
  readonly toldEnded: Map<string, number>;
  /** Told of every change of a request, when it has been made. */
  readonly changeListeners: Set<(id: string, change: Change) => void>;
  storeFor(clock: Clock): RequestStore;
  queueFor(clock: Clock, holder: string): SqliteQueue<TaskMessage>;
  startProcess(name: string, host: Host, onEnd: (why: string) => void): SimProcess;
  close(): void;
}

export interface WorldOptions {
  readonly seed: number;
  readonly bug: PlantedBug | null;
  readonly onLine: ((line: string) => void) | null;
}

export function createWorld({ seed, bug, onLine }: WorldOptions): World {
  const random = createRandom(seed);
  const time = createVirtualTime();
  const journal = createJournal(time, onLine);
  const faults = createFaults(random, time, journal);
  const scenario = createScenario(random);
  const db: Database = openDatabase(':memory:');
  const changeListeners = new Set<(id: string, change: Change) => void>();
  const watch = createProgressWatch(journal, (id, change) => {
    for (const listener of changeListeners) listener(id, change);
  });
  return {
    seed,
    scenario,
    random,
    time,
    faults,
    journal,
    edge: createModelEdge(scenario, faults),
    bug,
    lists: plantInLists(bug, createMemoryListStore()),
    outbox: plantInOutbox(bug, createOutbox(db)),
    timers: createSqliteTimers(db),
    toldEnded: new Map(),
    changeListeners,
    storeFor: (clock) => watch(plantInStore(bug, db, createSqliteRequestStore(db, clock)), clock),
    queueFor: (clock, holder) =>
      createSqliteQueue<TaskMessage>(db, 'tasks', clock, {
        holder,
        leaseMs: scenario.agent.leaseMs,
        pollMs: 50,
        fairKey: (message) => message.requestId,
      }),
    startProcess: (name, host, onEnd) => createSimProcess({ name, host, time, random, faults, journal, pace: scenario.pace, onEnd }),
    close: () => db.close(),
  };
}
