import { describe, expect, test } from 'vitest';
import { CancellableScope } from '../../../core/ask-scope.ts';
import type { KeepWarmEvent } from '../../../core/keep-warm/keep-warm-sender.ts';
import { createKeepWarmSender } from '../../../core/keep-warm/keep-warm-sender.ts';
import { startKeepWarmLoop } from '../../../core/keep-warm/keep-warm-loop.ts';
import { createOriginConnectionJudge } from '../../../core/keep-warm/origin-connection.ts';
import { planRun } from '../../../core/keep-warm/route.ts';
import { createTally, createTimes, isDead, viewLane } from '../../../core/keep-warm/tally.ts';
import type { Ask } from '../../../core/ports/downloader.ts';
import type { PopResolution } from '../../../core/ports/pop-resolver.ts';
import { createVirtualTime } from '../../../testing/virtual-time.ts';
import { answerOf, fourAddresses, routeOf, sendRun, timedDownloader, unanswered } from '../../../testing/keep-warm-fixture.ts';

const POPS = ['SIN2-P1', 'FRA56-P4', 'GRU3-P1'];

/** Runs the virtual clock until the work is done. */
async function finish<T>(time: ReturnType<typeof createVirtualTime>, work: Promise<T>): Promise<T> {
  let isDone = false;
  const watched = work.finally(() => {
    isDone = true;
  });
  watched.catch(() => {});
  await time.run(() => isDone, 10 * 3_600_000);
  return watched;
}

const popOf = (ask: Ask, pops: readonly string[]) => pops[Number(ask.address.ip.split('.')[1])] ?? '';
const of = (events: readonly KeepWarmEvent[], pop: string) => events.filter(({ lane }) => lane.pop === pop);

describe('the plan of a run', () => {
  test('the plan of a run spreads each POP evenly over the span, and never asks two at once', () => {
    const plan = planRun([routeOf({ pops: POPS })], 55_000, 0);
    expect(plan).toHaveLength(180);
    expect(plan[0]?.offsetMs).toBe(0);
    expect(Math.max(...plan.map(({ offsetMs }) => offsetMs))).toBeLessThan(55_000);
    expect(new Set(plan.map(({ offsetMs }) => offsetMs)).size).toBe(180);
    for (const pop of POPS) {
      const offsets = plan.filter(({ lane }) => lane.pop === pop).map(({ offsetMs }) => offsetMs);
      for (const [nth, offset] of offsets.slice(1).entries()) expect(offset - (offsets[nth] ?? 0)).toBeCloseTo(55_000 / 60, 6);
    }
    expect(plan.slice(0, 6).map(({ lane }) => lane.pop)).toEqual([...POPS, ...POPS]);
  });

  test('the plan of a run starts at the address after the one where the previous run stopped', () => {
    const ordinals = [0, 1, 2].flatMap((run) => planRun([routeOf({ pops: ['SIN2-P1'], requestsPerPop: 3 })], 1000, run));
    expect(ordinals.map(({ ordinal }) => ordinal)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe('a run', () => {
  test('a run sends each request at its time, over every address, with the fields of the route', async () => {
    const time = createVirtualTime();
    const asked: { at: number; ask: Ask }[] = [];
    const downloader = timedDownloader(time, (ask) => {
      asked.push({ at: time.now(), ask });
      return { ms: 20, answer: answerOf() };
    });
    const route = routeOf({ method: 'HEAD', headers: [['x-key', 'k']] });
    const ports = { resolver: fourAddresses(POPS), downloader };
    const events = await finish(time, sendRun(time, ports, [route]));
    expect(asked).toHaveLength(120);
    const plan = planRun([route], 55_000, 0);
    for (const [nth, { at }] of asked.entries()) expect(Math.abs(at - (plan[nth]?.offsetMs ?? 0))).toBeLessThan(2);
    for (const { ask } of asked)
      expect(ask).toMatchObject({
        method: 'HEAD',
        url: route.url,
        headers: [
          ['x-key', 'k'],
          ['pragma', 'server-timing'],
        ],
      });
    const byAddress = Map.groupBy(asked, ({ ask }) => ask.address.ip);
    expect([...byAddress.values()].map(({ length }) => length)).toEqual(Array.from({ length: 8 }, () => 15));
    const tally = createTally([route]);
    for (const event of events) tally.record(event);
    expect(tally.lanes.map(viewLane)).toMatchObject([
      { pop: 'SIN2-P1', state: 'answering', requests: 60, good: 60, errors: {}, unsent: {}, new_connection_share: 0 },
      { pop: 'FRA56-P4', state: 'answering', requests: 60, good: 60 },
    ]);
  });

  test('a run continues at the other POPs when one is gone, refuses private ones, and names both', async () => {
    const time = createVirtualTime();
    const resolver = {
      async resolvePop(domain: string | null, pop: string): Promise<PopResolution> {
        if (pop === 'GRU3-P1') return { state: 'address_refused', detail: 'private addresses only' };
        return fourAddresses(['SIN2-P1']).resolvePop(domain, pop);
      },
    };
    const downloader = timedDownloader(time, () => ({ ms: 20, answer: answerOf() }));
    const route = routeOf({ pops: POPS });
    const tally = createTally([route]);
    for (const event of await finish(time, sendRun(time, { resolver, downloader }, [route]))) tally.record(event);
    expect(tally.lanes.map(viewLane)).toMatchObject([
      { state: 'answering', good: 60 },
      { state: 'pop_unresolvable', detail: 'FRA56-P4 does not exist', requests: 0, unsent: { pop_unresolvable: 60 } },
      { state: 'address_refused', requests: 0, unsent: { address_refused: 60 } },
    ]);
    expect(tally.lanes.map(isDead)).toEqual([false, true, true]);
  });

  test('a run does not wait for a POP whose name is looked up in vain', async () => {
    const time = createVirtualTime();
    const resolver = {
      async resolvePop(domain: string | null, pop: string): Promise<PopResolution> {
        if (pop === 'FRA56-P4') await new Promise<void>((resolve) => void time.after(8700, resolve));
        return pop === 'FRA56-P4' ? { state: 'pop_unresolvable', detail: 'silence' } : fourAddresses(POPS).resolvePop(domain, pop);
      },
    };
    const downloader = timedDownloader(time, () => ({ ms: 20, answer: answerOf() }));
    const events = await finish(time, sendRun(time, { resolver, downloader }, [routeOf()]));
    const late = of(events, 'SIN2-P1').flatMap((event) => (event.kind === 'sent' ? [event.lateMs] : []));
    expect(late).toHaveLength(60);
    expect(Math.max(...late)).toBeLessThan(2);
  });

  test('a run drops requests that a slow lookup delayed, and does not send them in a crowd', async () => {
    const time = createVirtualTime();
    const resolver = {
      async resolvePop(domain: string | null, pop: string): Promise<PopResolution> {
        await new Promise<void>((resolve) => void time.after(5000, resolve));
        return fourAddresses(POPS).resolvePop(domain, pop);
      },
    };
    const downloader = timedDownloader(time, () => ({ ms: 20, answer: answerOf() }));
    const events = await finish(time, sendRun(time, { resolver, downloader }, [routeOf({ pops: ['SIN2-P1'] })]));
    expect(events.filter(({ kind }) => kind === 'unsent')).toHaveLength(5);
    expect(events.filter(({ kind }) => kind === 'ended')).toHaveLength(55);
  });

  test('a run gives up on a hanging backend after ten seconds, keeps to its limit in flight, and sends nothing twice', async () => {
    const time = createVirtualTime();
    const pops = ['SIN2-P1', 'FRA56-P4'];
    let underWay = 0;
    let most = 0;
    const slow = timedDownloader(time, (ask) => ({ ms: popOf(ask, pops) === 'SIN2-P1' ? 3_600_000 : 20, answer: answerOf() }));
    const downloader = {
      ...slow,
      async ask(ask: Ask) {
        if (popOf(ask, pops) !== 'SIN2-P1') return slow.ask(ask);
        most = Math.max(most, ++underWay);
        return slow.ask(ask).finally(() => {
          underWay -= 1;
        });
      },
    };
    const ports = { resolver: fourAddresses(pops), downloader };
    const events = await finish(time, sendRun(time, ports, [routeOf()], { limits: { maxInFlightPerPop: 4 } }));
    const tally = createTally([routeOf()]);
    for (const event of events) tally.record(event);
    const [hanging, well] = tally.lanes.map(viewLane);
    expect(most).toBe(4);
    expect(hanging).toMatchObject({ state: 'silent', good: 0 });
    expect(hanging?.errors['timeout']).toBe(hanging?.requests);
    const brokenOff = of(events, 'SIN2-P1').filter(({ kind }) => kind === 'stopped').length;
    expect((hanging?.requests ?? 0) + (hanging?.unsent['busy'] ?? 0) + brokenOff).toBe(60);
    expect(brokenOff).toBe(4);
    expect(well).toMatchObject({ state: 'answering', good: 60 });
    expect(well?.unsent).toEqual({});
    // The last ones had no ten seconds left: the run ends all the same.
    expect(time.now()).toBeLessThanOrEqual(57_001);
  });

  test('a run counts error answers by their reason, and counts their POP as answering', async () => {
    const time = createVirtualTime();
    let nth = 0;
    const answers = [
      answerOf({ status: 503 }),
      answerOf({ status: 404 }),
      answerOf({ servedBy: 'LHR61-P3' }),
      unanswered('connection'),
      answerOf({ servedBy: 'SIN52-C2' }),
    ];
    const downloader = timedDownloader(time, () => ({ ms: 20, answer: answers[nth++ % answers.length] ?? answerOf() }));
    const route = routeOf({ pops: ['SIN2-P1'], requestsPerPop: 10 });
    const tally = createTally([route]);
    for (const event of await finish(time, sendRun(time, { resolver: fourAddresses(POPS), downloader }, [route]))) tally.record(event);
    expect(tally.lanes.map(viewLane)).toMatchObject([
      { state: 'answering', requests: 10, good: 2, errors: { status_503: 2, status_404: 2, wrong_pop: 2, connection: 2 } },
    ]);
  });

  test('a run ends at once when it is stopped, and does not blame the POPs', async () => {
    const time = createVirtualTime();
    const scope = new CancellableScope();
    time.after(10_000, () => scope.cancel());
    const downloader = timedDownloader(time, () => ({ ms: 3000, answer: answerOf() }));
    const events = await finish(time, sendRun(time, { resolver: fourAddresses(POPS), downloader }, [routeOf()], { scope }));
    expect(time.now()).toBe(10_000);
    expect(events.filter(({ kind }) => kind === 'stopped').length).toBeGreaterThan(0);
    expect(events.some((event) => event.kind === 'ended' && event.reason !== null)).toBe(false);
  });

  test('a run fails as a whole when the program does, and only after the requests under way have ended', async () => {
    const time = createVirtualTime();
    const downloader = { ask: () => Promise.reject(new Error('broken')), close: async () => {} };
    await expect(finish(time, sendRun(time, { resolver: fourAddresses(POPS), downloader }, [routeOf()]))).rejects.toThrow('broken');
    expect(time.now()).toBeLessThan(2000);
  });
});

describe('run after run', () => {
  function open(runs: number | null, ms = 20) {
    const time = createVirtualTime();
    const sentAt: number[] = [];
    const downloader = timedDownloader(time, () => {
      sentAt.push(time.now());
      return { ms, answer: answerOf() };
    });
    const sender = createKeepWarmSender({ resolver: fourAddresses(POPS), downloader, clock: time, sameCity: () => true });
    const route = routeOf({ pops: ['SIN2-P1'], requestsPerPop: 12 });
    const tally = createTally([route]);
    let ended = 0;
    const loop = startKeepWarmLoop({ sender, routes: [route], clock: time, record: tally.record, runs, onRun: () => ended++ });
    return { time, sentAt, loop, tally, runsEnded: () => ended };
  }

  test('no pause between requests is longer than another, also between two runs', async () => {
    const { time, sentAt, loop, runsEnded } = open(3);
    await finish(time, loop.ended);
    // The last request's pause is as long as the others.
    expect(time.now()).toBe(180_000);
    expect(runsEnded()).toBe(3);
    expect(sentAt).toHaveLength(36);
    for (const [nth, at] of sentAt.slice(1).entries()) expect(Math.abs(at - (sentAt[nth] ?? 0) - 5000)).toBeLessThan(3);
  });

  test('a hanging backend does not delay the next run', async () => {
    const { time, sentAt, loop, tally } = open(3, 3_600_000);
    await finish(time, loop.ended);
    expect(sentAt).toHaveLength(36);
    expect(tally.lanes.map(viewLane)).toMatchObject([{ requests: 36, errors: { timeout: 36 }, state: 'silent' }]);
  });

  test('the sender continues until it is stopped', async () => {
    const { time, sentAt, loop } = open(null);
    time.after(150_500, () => loop.stop());
    await finish(time, loop.ended);
    expect(sentAt).toHaveLength(31);
  });
});

describe('a new connection to the origin', () => {
  const judgeAll = (answers: readonly ReturnType<typeof answerOf>[]) => {
    const judge = createOriginConnectionJudge();
    return answers.map((answer) => judge.judge(answer));
  };
  const silent = (ttfbMs: number, tcpMs = -1) => answerOf({ xConnection: '', ttfbMs, tcpMs });

  test('a new connection counts as new if the origin says so', () => {
    expect(judgeAll([answerOf({ xConnection: 'new' }), answerOf({ xConnection: ' Reused' })])).toEqual(['new', 'reused']);
  });

  test('a new connection counts as new if CloudFront says so, where the origin says nothing', () => {
    const said = (ms: string, xConnection = '') =>
      answerOf({ xConnection, serverTiming: `cdn-upstream-layer;desc="EDGE",cdn-upstream-connect;dur=${ms},cdn-cache-miss`, ttfbMs: 10 });
    expect(judgeAll([said('114'), said('0'), said('0', 'new'), said('none')])).toEqual(['new', 'reused', 'new', 'unknown']);
  });

  test('the tally recognises a new connection by the time beyond the round trip to the POP, once some answers were fast', () => {
    // 200 ms to the POP and 20 ms beyond it: 60 ms is a handshake, though hardly a quarter more in all.
    const times = [220, 221, 222, 220, 221, 260, 224, 260];
    const verdicts = judgeAll(times.map((ms, nth) => silent(ms, nth === 0 ? 200 : -1)));
    expect(verdicts.slice(0, 4)).toEqual(['unknown', 'unknown', 'unknown', 'unknown']);
    expect(verdicts.slice(4)).toEqual(['reused', 'new', 'reused', 'new']);
  });

  test('the tally takes no variation below two milliseconds for a new connection', () => {
    expect(judgeAll([1, 1, 1, 1, 1, 2.5, 1].map((ms) => silent(ms))).slice(4)).toEqual(['reused', 'reused', 'reused']);
  });
});

test('the tally sums times up within a percent, however many they are, and keeps the latest hundred', () => {
  const times = createTimes();
  expect(times.quantile(0.5)).toBeNull();
  for (let ms = 1; ms <= 10_000; ms++) times.add(ms / 10);
  expect(times.count).toBe(10_000);
  expect(Math.abs((times.quantile(0.5) ?? 0) / 500 - 1)).toBeLessThan(0.01);
  expect(Math.abs((times.quantile(0.95) ?? 0) / 950 - 1)).toBeLessThan(0.01);
  expect(times.latest).toHaveLength(100);
  expect(times.latest.at(-1)).toBe(1000);
});
