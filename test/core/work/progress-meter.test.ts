import { describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../../adapters/embedded/database.ts';
import { createSqliteRequestStore } from '../../../adapters/embedded/sqlite-request-store.ts';
import { CancellableScope } from '../../../core/ask-scope.ts';
import type { Provisional } from '../../../core/ports/request-store.ts';
import { createProgressMeter } from '../../../core/work/progress-meter.ts';
import type { TaskRun } from '../../../core/work/task-run.ts';
import { createManualClock } from './manual-clock.ts';

/** A task of which only the figures count here. */
function taskWith(finished: number, objectBytes = 0): TaskRun & { finished: number; objectBytes: number } {
  return { scope: new CancellableScope(), finished, objectBytes, isWaiting: false, heldMs: 0, run: async () => null };
}

/** A meter that writes into real tables. `before` runs before each row is written. */
function openMeter(pauseMs?: number, before: (row: Provisional) => void = () => {}) {
  const manual = createManualClock();
  const shift = { ms: 0 };
  const clock = { ...manual, now: () => manual.now() + shift.ms };
  const db = openDatabase(':memory:');
  onTestFinished(() => db.close());
  const store = createSqliteRequestStore(db, clock);
  const written: Provisional[] = [];
  const meter = createProgressMeter(
    clock,
    {
      async putProvisional(row) {
        before(row);
        written.push(row);
        await store.putProvisional(row);
      },
    },
    'agent-1',
    (requestId) => (requestId === 'r' ? 7 : 2),
    pauseMs,
  );
  const rows = (requestId = 'r') => store.listProvisional(requestId);
  return { clock: manual, shift, meter, written, rows };
}

describe('the meter of what an agent has done but not recorded', () => {
  it('the meter adds the tasks of a request up in one row, and keeps requests apart', async () => {
    const { meter, rows } = openMeter();
    meter.begin('r', taskWith(3, 300));
    meter.begin('r', taskWith(4, 4000));
    meter.begin('other', taskWith(5, 50));
    await meter.report();
    expect(await rows()).toMatchObject([{ requestId: 'r', agentId: 'agent-1', count: 7, bytes: 4300, inFlight: 7 }]);
    expect(await rows('other')).toMatchObject([{ count: 5, bytes: 50, inFlight: 2 }]);
  });

  it('the meter shows the rate of the last five seconds, and not of the whole task', async () => {
    const { clock, meter, written } = openMeter();
    const task = taskWith(0);
    meter.begin('r', task);
    for (let second = 0; second < 20; second++) {
      await clock.pass(1000);
      task.finished += second < 10 ? 100 : 10;
      await meter.report();
    }
    const rates = written.map(({ rate }) => rate);
    expect(rates.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 100));
    expect(rates.at(12)).toBeGreaterThan(10);
    expect(rates.slice(15)).toEqual([10, 10, 10, 10, 10]);
  });

  it('the meter drops a recorded task from the count and keeps it in the rate', async () => {
    const { clock, meter, written } = openMeter();
    const first = taskWith(0);
    meter.begin('r', first);
    await meter.report();
    await clock.pass(1000);
    first.finished = 200;
    meter.end('r', first, true);
    const second = taskWith(0);
    meter.begin('r', second);
    await clock.pass(1000);
    second.finished = 200;
    await meter.report();
    expect(written.at(-1)).toMatchObject({ count: 200, rate: 200 });
  });

  it('the meter drops a returned task from the count and from the rate, which is never below zero', async () => {
    const { clock, meter, written } = openMeter();
    const givenBack = taskWith(500);
    meter.begin('r', givenBack);
    meter.begin('r', taskWith(1));
    await clock.pass(1000);
    await meter.report();
    meter.end('r', givenBack, false);
    await clock.pass(6000);
    await meter.report();
    expect(written.at(-1)).toMatchObject({ count: 1, rate: 0 });
  });

  it('the meter counts nothing of a task that was returned before the first report', async () => {
    const { clock, meter, written } = openMeter();
    const givenBack = taskWith(500);
    meter.begin('r', givenBack);
    meter.begin('r', taskWith(1));
    meter.end('r', givenBack, false);
    await clock.pass(1000);
    await meter.report();
    expect(written).toMatchObject([{ count: 1, rate: 1 }]);
  });

  it('the meter removes the row of a request without tasks, and then writes nothing more', async () => {
    const { meter, written, rows } = openMeter();
    const task = taskWith(9, 90);
    meter.begin('r', task);
    await meter.report();
    meter.end('r', task, true);
    await meter.report();
    await meter.report();
    expect(await rows()).toEqual([]);
    expect(written.map(({ count, bytes, rate }) => [count, bytes, rate])).toEqual([
      [9, 90, 0],
      [0, 0, 0],
    ]);
  });

  it('the meter writes at most once in each pause, and writes at once when the clock was set back', async () => {
    const { clock, shift, meter, written } = openMeter(5000);
    meter.begin('r', taskWith(1));
    await meter.report();
    await clock.pass(4999);
    await meter.report();
    expect(written).toHaveLength(1);
    await clock.pass(1);
    await meter.report();
    expect(written).toHaveLength(2);
    shift.ms = -3_600_000;
    await meter.report();
    expect(written).toHaveLength(3);
  });

  it('the meter writes the rows of other requests although one fails, and repeats the failed one with the next report', async () => {
    let fails = true;
    const { meter, rows } = openMeter(0, (row) => {
      if (fails && row.requestId === 'r') throw new Error('throttled');
    });
    meter.begin('r', taskWith(3));
    meter.begin('other', taskWith(5));
    await meter.report();
    expect(await rows()).toEqual([]);
    expect(await rows('other')).toMatchObject([{ count: 5 }]);
    fails = false;
    await meter.report();
    expect(await rows()).toMatchObject([{ count: 3 }]);
  });

  it('the meter repeats a failed removal with the next report, so that recorded targets are not shown twice', async () => {
    let fails = false;
    const { meter, written, rows } = openMeter(0, () => {
      if (fails) throw new Error('throttled');
    });
    const task = taskWith(9);
    meter.begin('r', task);
    await meter.report();
    meter.end('r', task, true);
    fails = true;
    await meter.report();
    expect(await rows()).toMatchObject([{ count: 9 }]);
    fails = false;
    await meter.report();
    expect(await rows()).toEqual([]);
    await meter.report();
    expect(written).toHaveLength(2);
  });

  it('the meter loses no task that begins while the row of its request is being removed', async () => {
    const second = taskWith(4);
    const { meter, rows } = openMeter(0, (row) => {
      if (row.count === 0) meter.begin('r', second);
    });
    const first = taskWith(9);
    meter.begin('r', first);
    await meter.report();
    meter.end('r', first, true);
    await meter.report();
    await meter.report();
    expect(await rows()).toMatchObject([{ count: 4 }]);
  });
});
