import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { keys } from '../../../core/keys.ts';
import { viewUrlStatus } from '../../../core/report/view-url-status.ts';
import type { ListStore, ResultMetadata } from '../../../core/ports/list-store.ts';
import { taskIdOf } from '../../../core/work/task.ts';
import type { PopRow, RequestRow, RequestStatus } from '../../../core/request/request.ts';
import { advanceAll, getRow, ID, makeSpec, makeUrls, openFixture } from '../../../testing/pipeline-fixture.ts';

const POPS = Array.from({ length: 20 }, (_, at) => `POP${at}-P1`);
const SLICES = 850;
const ROWS = 2;
const TASKS = SLICES * POPS.length;
/** Of every call to a store, by the clock of the test. */
const CALL_MS = 20;
const GATEWAY_MS = 29_000;

/** Calls that take 20 ms by a clock that goes on when nothing else is left to do, so that this machine's speed plays no part. */
function slowCalls() {
  const under: { readonly at: number; readonly end: () => void }[] = [];
  const seen = { calls: 0, mostAtOnce: 0 };
  let now = 0;
  let isWaiting = false;
  async function goOn(): Promise<void> {
    if (isWaiting) return;
    isWaiting = true;
    while (under.length > 0) {
      await setImmediate();
      await setImmediate();
      now = Math.max(now, under[0]?.at ?? 0);
      while ((under[0]?.at ?? Number.POSITIVE_INFINITY) <= now) under.shift()?.end();
    }
    isWaiting = false;
  }
  const slowly = async <T>(answer: T): Promise<T> => {
    const ended = new Promise<void>((end) => under.push({ at: now + CALL_MS, end }));
    seen.calls += 1;
    seen.mostAtOnce = Math.max(seen.mostAtOnce, under.length);
    void goOn();
    await ended;
    return answer;
  };
  return { slowly, seen, clock: { now: () => now } };
}

/** A request at 20 POPs, some of which have failures, in stores that are as slow as AWS's are. */
async function openLargeRequest(status: RequestStatus, failing: readonly string[]) {
  const fixture = openFixture();
  await fixture.pipeline.accept({ id: ID, spec: makeSpec(['SIN2-P1']), urls: makeUrls(4) });
  await advanceAll(fixture.pipeline);
  const planned = await getRow(fixture.ports);
  if (planned.plan === null) throw new Error('no plan');
  const plan = { ...planned.plan, pops: POPS };
  const [popRow] = await fixture.ports.store.listPops(ID);
  if (popRow === undefined) throw new Error('no POP');
  const totalCount = SLICES * ROWS;
  const counters = { ...popRow.counters, warmed: totalCount };
  const pops: PopRow[] = POPS.map((pop) => ({
    ...popRow,
    pop,
    totalCount,
    counters: failing.includes(pop) ? { ...counters, warmed: totalCount - SLICES, failed: SLICES } : counters,
  }));
  const row: RequestRow = {
    ...planned,
    status,
    plan,
    urlCount: SLICES * ROWS,
    totalCount: TASKS * ROWS,
    counters: { ...planned.counters, failed: SLICES * failing.length },
  };
  const { slowly, clock, seen } = slowCalls();
  const slices = Array.from({ length: SLICES }, (_, number) => `sized,${number},0,0,1,${ROWS}\n`).join('');
  const lists: ListStore = {
    ...fixture.ports.lists,
    async *read(key) {
      yield await slowly(Buffer.from(key === keys.slices(ID, plan) ? slices : '1,https://a.test/1\n1,https://a.test/2\n'));
    },
    // Whatever is asked has one failure of two rows.
    resultMetadata: () => slowly<ResultMetadata | null>({ counters: 'failed:1' }),
    async *readResult() {
      yield await slowly(Buffer.from(''));
    },
  };
  const counted = (pop: string) => new Set(Array.from({ length: SLICES }, (_, number) => taskIdOf(pop, 0, { list: 'sized', number })));
  const store = {
    ...fixture.ports.store,
    listPops: () => slowly(pops),
    countedTasks: (_id: string, pop: string) => slowly(counted(pop)),
  };
  return { ports: { ...fixture.ports, lists, store, clock }, row, clock, seen };
}

test('the URL status of 17,000 tasks whose POPs all have failures is answered before the gateway gives up, and calls nothing completed that was not read', async () => {
  const { ports, row, clock, seen } = await openLargeRequest('IN_PROGRESS', POPS);
  const view = await viewUrlStatus(ports, row);
  expect(clock.now()).toBeLessThan(GATEWAY_MS);
  expect(view.total).toBe(SLICES * ROWS);
  expect(view.completed + view.inProgress + view.failedUrls.length).toBeLessThanOrEqual(SLICES * ROWS);
  expect(view.inProgress).toBeGreaterThan(0);
  expect(seen.mostAtOnce).toBeLessThanOrEqual(17);
});

test('a URL that could not be read in time is no longer in progress once the request has ended', async () => {
  const { ports, row, clock } = await openLargeRequest('FINISHED', POPS);
  const view = await viewUrlStatus(ports, row);
  expect(clock.now()).toBeLessThan(GATEWAY_MS);
  expect(view.inProgress).toBe(0);
  expect(view.completed).toBeLessThan(SLICES * ROWS);
});

test('where one POP has failures, all of its results are read within the time', async () => {
  const { ports, row, clock, seen } = await openLargeRequest('IN_PROGRESS', POPS.slice(0, 1));
  const view = await viewUrlStatus(ports, row);
  expect(clock.now()).toBeLessThan(GATEWAY_MS);
  expect(view.inProgress).toBe(0);
  expect(view.completed).toBe(SLICES * ROWS);
  expect(seen.calls).toBeGreaterThan(SLICES);
});
