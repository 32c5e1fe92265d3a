import { join } from 'node:path';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { createFileListStore } from '../../../adapters/embedded/file-list-store.ts';
import { createProcessFleet } from '../../../adapters/embedded/process-fleet.ts';
import { createSqliteQueue } from '../../../adapters/embedded/sqlite-queue.ts';
import { createSqliteRequestStore } from '../../../adapters/embedded/sqlite-request-store.ts';
import { createSqliteTimers } from '../../../adapters/embedded/embedded-stores.ts';
import { systemClock } from '../../../core/clock.ts';
import { describeFleet } from '../contracts/fleet.contract.ts';
import { describeListStore } from '../contracts/list-store.contract.ts';
import { describeQueue, type Note } from '../contracts/queue.contract.ts';
import { T0 } from '../../../testing/request-rows.ts';
import { describeRequestStore } from '../contracts/request-store.contract.ts';
import { describeTimers } from '../contracts/timers.contract.ts';
import { scriptPath } from './child-script.ts';
import { createMemoryListStore } from '../../system/simulation/memory-list-store.ts';
import { createManualClock } from '../../../testing/manual-clock.ts';
import { makeTemporaryDir } from '../../../testing/temporary-dir.ts';

const onFile = () => {
  const dir = makeTemporaryDir();
  const db = openDatabase(join(dir.path, 'tables.db'));
  return {
    db,
    dispose: () => {
      db.close();
      dir.remove();
    },
  };
};

describeRequestStore('SQLite on a file', () => {
  const { db, dispose } = onFile();
  return { store: createSqliteRequestStore(db, systemClock), dispose };
});

describeRequestStore('SQLite in memory', () => {
  const db = openDatabase(':memory:');
  return { store: createSqliteRequestStore(db, systemClock), dispose: () => db.close() };
});

describeTimers('SQLite', () => {
  const db = openDatabase(':memory:');
  const timers = createSqliteTimers(db);
  return { timers, due: async (now) => timers.takeDue(now, 10).map((timer) => timer.requestId), dispose: () => db.close() };
});

const createQueue = () => {
  const { db, dispose } = onFile();
  const clock = createManualClock(T0);
  const queue = createSqliteQueue<Note>(db, 'notes', clock, {
    holder: 'test',
    leaseMs: 60_000,
    fairKey: (message) => message.requestId,
  });
  return { queue, dead: queue, pass: (ms: number) => clock.pass(ms), dispose };
};

describeQueue('SQLite', createQueue, { takesTurns: true });

describeListStore('A directory', () => {
  const dir = makeTemporaryDir();
  return { lists: createFileListStore(dir.path), dispose: dir.remove };
});

describeListStore('Memory', () => ({ lists: createMemoryListStore() }));

describeFleet('Child processes', () => {
  const gone = new Set<number>();
  const fleet = createProcessFleet({
    entry: scriptPath('fleet-agent'),
    env: { ...process.env, TEST_AGENT: 'stays' },
    maximum: 3,
    onExit: (pid) => {
      gone.add(pid);
    },
    onFatal: (error) => {
      throw error;
    },
    onOutput: () => {},
  });
  return { fleet, agents: () => fleet.pids().filter((pid) => !gone.has(pid)).length, dispose: () => fleet.close() };
});
