import { parse } from 'csv-parse/sync';
import { describe, expect, it, test } from 'vitest';
import type { EdgeAddress } from '../../../core/pops/address.ts';
import { systemClock } from '../../../core/clock.ts';
import type { Answer, Ask, Downloader } from '../../../core/ports/downloader.ts';
import { REPORT_HEADER } from '../../../core/report/result-row.ts';
import type { RequestSpec } from '../../../core/request/request.ts';
import { unanswered } from '../../../core/work/unanswered.ts';
import type { TaskMessage } from '../../../core/work/task.ts';
import { createLanes } from '../../../core/work/lanes.ts';
import { SeparateCaches } from '../../../core/work/separate-caches.ts';
import { createTaskRun, type TaskResult } from '../../../core/work/task-run.ts';
import { makeSpec } from '../../../testing/pipeline-fixture.ts';
import { createManualClock } from './manual-clock.ts';
import { createModelPop, modelAddresses } from '../../../testing/model-pop.ts';

const POP = 'SIN2-P1';
const rows = (name: string) => Array.from({ length: 5 }, (_, n) => ({ url: `https://www.example.com/${name}/${n}`, bytes: 1000 }));

function taskAt(addresses: readonly EdgeAddress[], number: number): TaskMessage {
  const slice = { list: 'sized', number, part: 0, start: 0, end: 100, rows: 5 } as const;
  return { requestId: 'r', taskId: `${POP}#0#${number}`, pop: POP, addresses, wave: 0, slice };
}

test('two tasks of one POP end although one was given a single address and the other found separate caches', async () => {
  const addresses = modelAddresses(2);
  // Turns of the event loop, so that a task that never ends does not keep the test from failing.
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const pop = createModelPop({ pop: POP, addresses, separate: true, object: () => ({ bytes: 1000 }), settle });
  const ports = { downloader: pop, clock: systemClock, random: () => 0.5, lanes: createLanes(systemClock, 4), sameCity: () => false };
  const separate = new SeparateCaches();
  const run = (some: readonly EdgeAddress[], number: number): Promise<TaskResult | null> =>
    createTaskRun(ports, taskAt(some, number), makeSpec([POP]), rows(`task${number}`), separate).run();

  const [both, single] = await Promise.all([run(addresses, 1), run(addresses.slice(0, 1), 2)]);

  expect(separate.isFound).toBe(true);
  expect(both?.counters).toMatchObject({ warmed: 5, verified: 5, attempts: 20, separate: 1 });
  expect(single?.counters).toMatchObject({ warmed: 5, verified: 5, attempts: 10, edge_bytes: 10_000 });
});

test('a task reports the bytes of its objects, each counted once however often it was read', async () => {
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const pop = createModelPop({ pop: POP, addresses: modelAddresses(2), separate: true, object: () => ({ bytes: 1000 }), settle });
  const ports = { downloader: pop, clock: systemClock, random: () => 0.5, lanes: createLanes(systemClock, 4), sameCity: () => false };
  const task = createTaskRun(ports, taskAt(modelAddresses(2), 1), makeSpec([POP]), rows('a'), new SeparateCaches());
  await task.run();
  expect(task.objectBytes).toBe(5000);
  expect(task.scope.bytes).toBeGreaterThan(10_000);
});

/** One task at one address, on a clock that stands still until it is moved. */
function openTask(fault: (ask: Ask, index: number) => Partial<Answer> | null, addresses = 1) {
  const clock = createManualClock();
  const askedAt: number[] = [];
  const started = clock.now();
  const places = modelAddresses(addresses);
  const pop = createModelPop({
    pop: POP,
    addresses: places,
    separate: false,
    object: () => ({ bytes: 1000 }),
    fault: (ask, index) => {
      askedAt.push(clock.now() - started);
      return fault(ask, index);
    },
  });
  const lanes = createLanes(clock, null);
  const separate = new SeparateCaches();
  while (separate.takeProbe());
  const ports = { downloader: pop, clock, random: () => 0.5, lanes, sameCity: () => false };
  const task = createTaskRun(ports, taskAt(places, 1), makeSpec([POP]), rows('a'), separate);
  return { clock, lanes, task, askedAt };
}

const busy = (retryAfterMs: number): Partial<Answer> => ({ status: 429, xCache: 'Error from cloudfront', bodyBytes: 0, retryAfterMs });

describe('a POP that refuses for the moment', () => {
  it('a POP that refuses for the moment is asked again at the time that it named', async () => {
    const { clock, task, askedAt } = openTask((_ask, index) => (index < 5 ? busy(4000) : null));
    const result = task.run();
    await clock.pass(3999);
    expect(askedAt).toEqual([0, 0, 0, 0, 0]);
    await clock.pass(1);
    expect((await result)?.counters).toMatchObject({ warmed: 5, verified: 5 });
    expect(askedAt).toHaveLength(10);
    expect(new Set(askedAt.slice(5))).toEqual(new Set([4000]));
  });

  it('a POP that refuses without a time is asked again after pauses that grow from half a second', async () => {
    const { clock, task, askedAt } = openTask(() => busy(0));
    const result = task.run();
    await clock.pass(60_000);
    expect((await result)?.counters).toMatchObject({ failed: 5, 'reason.status_429': 5 });
    expect([...new Set(askedAt)]).toEqual([0, 500, 1500]);
  });

  it('a POP that keeps refusing is given up after as many attempts as it has addresses, eight at most', async () => {
    const { clock, task, askedAt } = openTask(() => busy(3_600_000), 12);
    const result = task.run();
    await clock.pass(3_600_000);
    expect((await result)?.counters).toMatchObject({ failed: 5 });
    expect(askedAt).toHaveLength(5 * 8);
    // Each round begins a minute after the one before, fewer targets at a time while the limit shrinks.
    expect(Math.max(...askedAt)).toBeLessThanOrEqual(5 * 8 * 60_000);
    expect(askedAt.filter((at) => at > 0 && at < 60_000)).toEqual([]);
  });

  it('a POP that refuses a check is waited for, too', async () => {
    const { clock, task, askedAt } = openTask((_ask, index) => (index === 5 ? { ...busy(2000), status: 503 } : null));
    const result = task.run();
    await clock.pass(2000);
    expect((await result)?.counters).toMatchObject({ warmed: 5, verified: 5 });
    expect(askedAt.at(-1)).toBe(2000);
  });

  it.each([
    ['for a wait that it asked for', 50_000],
    ['for a pause of its own', 0],
  ])('the wait for a refusing POP ends for a task that is cancelled %s', async (_name, retryAfterMs) => {
    const { clock, lanes, task } = openTask(() => busy(retryAfterMs));
    const result = task.run();
    await clock.pass(1);
    expect(lanes.inFlight()).toBe(0);
    task.scope.cancel();
    expect(await result).toBeNull();
    expect(lanes.inFlight()).toBe(0);
    lanes.close();
    expect(clock.waiting()).toBe(0);
  });
});

/** One task whose downloads end only when the test ends them. */
function openHeldTask(inFlight: number, change: Partial<RequestSpec> = {}, rowsOf = (number: number) => rows(`task${number}`)) {
  const clock = createManualClock();
  const waiting: { readonly ask: Ask; readonly end: (answer: Answer) => void; readonly fail: (error: Error) => void }[] = [];
  const asks: Ask[] = [];
  const downloader: Downloader = {
    ask: (ask) =>
      new Promise((end, fail) => {
        asks.push(ask);
        waiting.push({ ask, end, fail });
        ask.scope.onCancel(() => end({ ...unanswered('cancelled'), bodyBytes: 10 }));
      }),
    close: async () => {},
  };
  const pop = createModelPop({ pop: POP, addresses: modelAddresses(1), separate: false, object: () => ({ bytes: 1000 }) });
  const lanes = createLanes(clock, inFlight);
  const separate = new SeparateCaches();
  while (separate.takeProbe());
  const ports = { downloader, clock, random: () => 0.5, lanes, sameCity: () => false };
  const open = (number: number) =>
    createTaskRun(ports, taskAt(modelAddresses(1), number), makeSpec([POP], change), rowsOf(number), separate);
  /** Answers the download that was asked for first, and lets what follows from it happen. */
  const answerNext = async () => {
    const next = waiting.shift();
    if (next === undefined) throw new Error('nothing is being downloaded');
    next.end(await pop.ask(next.ask));
    await clock.pass(0);
  };
  return { clock, lanes, asks, waiting, answerNext, open };
}

describe('the run of a task by itself', () => {
  it('a task writes a row for each URL and variant in the order of the list, whatever order the answers come in', async () => {
    const variants = [
      { name: 'plain', headers: [] },
      { name: 'gzip', headers: [['Accept-Encoding', 'gzip']] },
    ] as const;
    const held = openHeldTask(100, { variants });
    const run = held.open(1).run();
    await held.clock.pass(0);
    expect(held.asks).toHaveLength(10);
    expect(held.asks.map(({ headers }) => headers)).toEqual(Array.from({ length: 5 }, () => [[], variants[1].headers]).flat());
    held.waiting.reverse();
    while (held.waiting.length > 0) await held.answerNext();
    const result = await run;
    const written = parse<Record<string, string>>(REPORT_HEADER + (result?.rows ?? ''), { columns: true });
    const named = rows('task1').flatMap(({ url }) => variants.map(({ name }) => `${url} ${name}`));
    expect(written.map(({ url, variant }) => `${url} ${variant}`)).toEqual(named);
    const facts = { pop: POP, status: '200', bytes: '1000', address: '192.0.2.1:443', notes: 'verified' };
    for (const row of written) expect(row).toMatchObject(facts);
    expect(result?.counters).toMatchObject({ verified: 10, edge_bytes: held.asks.length * 1000 });
  });

  it('a task reports row by row what was warm, what was warmed and what failed', async () => {
    const pop = createModelPop({
      pop: POP,
      addresses: modelAddresses(1),
      separate: false,
      object: () => ({ bytes: 1000 }),
      fault: ({ url }) => (url.endsWith('/3') ? { status: 404, xCache: 'Error from cloudfront', bodyBytes: 9 } : null),
    });
    const [address] = modelAddresses(1);
    if (address !== undefined) pop.store(address, 'https://www.example.com/a/1');
    const clock = createManualClock();
    const ports = { downloader: pop, clock, random: () => 0.5, lanes: createLanes(clock, 2), sameCity: () => false };
    const separate = new SeparateCaches();
    const task = createTaskRun(ports, taskAt(modelAddresses(1), 1), makeSpec([POP]), rows('a'), separate);
    const result = await task.run();
    const written = parse<Record<string, string>>(REPORT_HEADER + (result?.rows ?? ''), { columns: true });
    expect(written.map(({ outcome, reason, status }) => [outcome, reason, status])).toEqual([
      ['warmed', '', '200'],
      ['already_warm', '', '200'],
      ['warmed', '', '200'],
      ['failed', 'status_404', '404'],
      ['warmed', '', '200'],
    ]);
    expect(result?.counters).toMatchObject({ warmed: 3, already_warm: 1, failed: 1, 'reason.status_404': 1 });
    expect(task.finished).toBe(5);
    expect(task.objectBytes).toBe(4000);
  });

  it('a task counts no bytes of objects that were downloaded whole and still did not become warm', async () => {
    const object = () => ({ bytes: 1000, neverStored: true, cacheControl: 'no-store' });
    const pop = createModelPop({ pop: POP, addresses: modelAddresses(1), separate: false, object });
    const clock = createManualClock();
    const ports = { downloader: pop, clock, random: () => 0.5, lanes: createLanes(clock, 5), sameCity: () => false };
    const task = createTaskRun(ports, taskAt(modelAddresses(1), 1), makeSpec([POP]), rows('a'), new SeparateCaches());
    const run = task.run();
    await clock.pass(60_000);
    expect((await run)?.counters).toMatchObject({ failed: 5, 'reason.not_cached': 5 });
    expect([task.finished, task.objectBytes]).toEqual([5, 0]);
  });

  it('a task waits while another task has all the slots, and reports finished targets as it goes on', async () => {
    const held = openHeldTask(2);
    const first = held.open(1);
    const second = held.open(2);
    const runs = [first.run(), second.run()];
    await held.clock.pass(0);
    expect([first.isWaiting, second.isWaiting, held.lanes.inFlight()]).toEqual([false, true, 2]);
    const seen: number[] = [];
    while (held.waiting.length > 0) {
      await held.answerNext();
      seen.push(first.finished + second.finished);
    }
    expect(await Promise.all(runs)).toMatchObject([{ counters: { warmed: 5 } }, { counters: { warmed: 5 } }]);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect([seen.includes(5), seen.at(-1), first.isWaiting, second.isWaiting]).toEqual([true, 10, false, false]);
    expect(held.lanes.inFlight()).toBe(0);
  });

  it('a task that is cancelled among downloads gives every slot back, begins nothing more, and has no result', async () => {
    const held = openHeldTask(2);
    const task = held.open(1);
    const run = task.run();
    await held.clock.pass(0);
    while (task.finished === 0) await held.answerNext();
    const asked = held.asks.length;
    expect(held.lanes.inFlight()).toBe(2);
    task.scope.cancel();
    expect(await run).toBeNull();
    await held.clock.pass(60_000);
    expect([held.asks.length, task.finished, held.lanes.inFlight()]).toEqual([asked, 1, 0]);
    const next = held.open(2).run();
    await held.clock.pass(0);
    held.waiting.splice(0, held.waiting.length - 2);
    while (held.waiting.length > 0) await held.answerNext();
    expect(await next).toMatchObject({ counters: { warmed: 5 } });
  });

  it('a task that was cancelled before it ran asks for nothing', async () => {
    const held = openHeldTask(2);
    const task = held.open(1);
    task.scope.cancel();
    expect(await task.run()).toBeNull();
    expect([held.asks.length, held.lanes.inFlight(), task.isWaiting]).toEqual([0, 0, true]);
  });

  it('a task waits for the first byte as long as its request says, and leaves it to the downloader otherwise', async () => {
    for (const [seconds, firstByteMs] of [
      [45, 45_000],
      [undefined, undefined],
    ] as const) {
      const held = openHeldTask(1, seconds === undefined ? {} : { firstByteTimeoutSeconds: seconds });
      const task = held.open(1);
      const run = task.run();
      await held.clock.pass(0);
      expect(held.asks.map((ask) => ask.firstByteMs)).toEqual([firstByteMs]);
      task.scope.cancel();
      await run;
    }
  });

  it('a task without rows ends at once with nothing counted', async () => {
    const result = await openHeldTask(2, {}, () => [])
      .open(1)
      .run();
    expect(result).toEqual({ rows: '', counters: { edge_bytes: 0 } });
  });

  it('a task rejects when the downloader throws, because that is a fault of the program and no outcome of a target', async () => {
    const held = openHeldTask(2);
    const run = held.open(1).run();
    await held.clock.pass(0);
    held.waiting[0]?.fail(new Error('a fault of the program'));
    await expect(run).rejects.toThrow('a fault of the program');
  });
});
