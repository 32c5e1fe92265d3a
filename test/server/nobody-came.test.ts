import { expect, test } from 'vitest';
import { createReadProgress } from '../../server/app/warm-routes.ts';
import { PrewarmError } from '../../core/errors.ts';
import { NOBODY_AFTER_MS } from '../../core/report/nobody-came.ts';
import type { FleetState } from '../../core/ports/fleet.ts';
import { advanceAll, getRow, ID, makeSpec, makeUrls, openFixture } from '../../testing/pipeline-fixture.ts';

const MINUTE = 60_000;
const NOTHING_WRONG: FleetState = { capacity: 10, onDemand: 0, fallbackMinutes: 10, lastFailedActivity: null };

/** A request whose tasks are queued, with no agent there, and a fleet that says this of itself. */
async function openWaiting(describe?: () => Promise<FleetState>) {
  const fixture = openFixture();
  const { pipeline, ports } = fixture;
  await pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1'], { timeoutMinutes: 30 }), urls: makeUrls(3), madeBy: null });
  await advanceAll(pipeline);
  const clock = { offset: 0, now: () => Date.now() + clock.offset };
  const errors: unknown[] = [];
  const log = { debug: () => undefined, info: () => undefined, error: (fields: unknown) => void errors.push(fields) };
  const fleet = { ...ports.fleet, ...(describe === undefined ? {} : { describe }) };
  const { store, tasks } = ports;
  const read = createReadProgress({ store, tasks, clock, fleet, log, nobodyAfterMs: NOBODY_AFTER_MS.instances });
  const reasonAfter = async (ms: number) => {
    clock.offset = ms;
    return (await read(await getRow(ports), false)).status_reason;
  };
  return { ...fixture, errors, reasonAfter };
}

test('a request reports after four minutes, and not before, that no agent has taken a task', async () => {
  const { reasonAfter } = await openWaiting();
  expect(await reasonAfter(0)).toBeNull();
  expect(await reasonAfter(3.9 * MINUTE)).toBeNull();
  expect(await reasonAfter(4.1 * MINUTE)).toBe('no agent has taken a task for 4 min');
});

test('a request on one machine reports after ten seconds that no agent has taken a task', () => {
  expect(NOBODY_AFTER_MS.processes).toBe(10_000);
});

test("the report of missing agents adds the group's last failure since the request began, and asks the group at most once a minute", async () => {
  let asked = 0;
  const state = { ...NOTHING_WRONG, lastFailedActivity: { at: Date.now() + MINUTE, message: 'MaxSpotInstanceCountExceeded' } };
  const { reasonAfter } = await openWaiting(async () => {
    asked += 1;
    return state;
  });
  expect(await reasonAfter(MINUTE)).toBeNull();
  expect(asked).toBe(0);
  const reason = 'no agent has taken a task for 5 min; the last failed activity of the group: MaxSpotInstanceCountExceeded';
  for (const seconds of [0, 20, 25]) expect(await reasonAfter(5 * MINUTE + seconds * 1000)).toBe(reason);
  expect(asked).toBe(1);
  await reasonAfter(6.5 * MINUTE);
  expect(asked).toBe(2);
});

test('the report of missing agents leaves out failures of the group from before the request', async () => {
  const old = { ...NOTHING_WRONG, lastFailedActivity: { at: Date.now() - 60 * MINUTE, message: 'an old one' } };
  const { reasonAfter } = await openWaiting(async () => old);
  expect(await reasonAfter(5 * MINUTE)).toBe('no agent has taken a task for 5 min');
});

test('the report of missing agents says what was asked for on demand, whether or not agents have come', async () => {
  const state: FleetState = {
    ...NOTHING_WRONG,
    onDemand: 8,
    lastFailedActivity: { at: Date.now() + MINUTE, message: 'UnfulfillableCapacity' },
  };
  const told = 'Spot delivered 2 of 10 within 10 minutes; 8 asked for on demand: UnfulfillableCapacity';
  const { reasonAfter, ports } = await openWaiting(async () => state);
  expect(await reasonAfter(12 * MINUTE)).toBe(`no agent has taken a task for 12 min; ${told}`);
  await ports.tasks.receive(1, 0);
  expect(await reasonAfter(12 * MINUTE + 1000)).toBe(told);
});

test('the server logs that it cannot ask a group, and shows the progress without it', async () => {
  const { reasonAfter, errors } = await openWaiting(async () => {
    throw new PrewarmError('storage', 'denied by the test');
  });
  expect(await reasonAfter(5 * MINUTE)).toBe('no agent has taken a task for 5 min');
  expect(errors).toHaveLength(1);
});

test('one agent that has or reports a task is enough to report no missing agents', async () => {
  const { reasonAfter, ports } = await openWaiting();
  const figures = { requestId: ID, agentId: 'a', count: 1, bytes: 1, rate: 0, updatedAt: Date.now() + 5 * MINUTE };
  await ports.store.putProvisional(figures);
  expect(await reasonAfter(5 * MINUTE)).toBeNull();
  expect(await reasonAfter(6 * MINUTE)).toBe('no agent has taken a task for 6 min');
  await ports.tasks.receive(1, 0);
  expect(await reasonAfter(6 * MINUTE + 1000)).toBeNull();
});

test("a time-out reports missing agents and the group's failure only if no agent ever reported a task", async () => {
  const failed = { ...NOTHING_WRONG, lastFailedActivity: { at: Date.now() + MINUTE, message: 'MaxSpotInstanceCountExceeded' } };
  const of = async (describe: (() => Promise<FleetState>) | undefined, work: boolean) => {
    const { pipeline, ports } = openFixture({}, {}, (own) => ({
      ...own,
      fleet: { ...own.fleet, ...(describe === undefined ? {} : { describe }) },
    }));
    await pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1'], { timeoutMinutes: 30 }), urls: makeUrls(3), madeBy: null });
    await advanceAll(pipeline);
    // An agent holds the task when the time is up.
    if (work) await ports.tasks.receive(1, 0);
    await ports.store.setTimeoutAt(ID, Date.now() - 1);
    await pipeline.fireTimer(ID);
    return (await getRow(ports)).statusReason;
  };
  const reason = 'not done within 30 minutes';
  const nobody = `${reason}; no agent ever reported having taken a task of it`;
  expect(await of(undefined, false)).toBe(nobody);
  expect(await of(async () => failed, false)).toBe(`${nobody}; the last failed activity of the group: MaxSpotInstanceCountExceeded`);
  const denied = async () => {
    throw new PrewarmError('storage', 'denied by the test');
  };
  expect(await of(denied, false)).toBe(nobody);
  expect(await of(async () => failed, true)).toBe(reason);
});
