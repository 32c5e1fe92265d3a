import { describe, expect, it } from 'vitest';
import { CancellableScope } from '../../../core/ask-scope.ts';
import type { Answer, AskError } from '../../../core/ports/downloader.ts';
import { unanswered } from '../../../core/work/unanswered.ts';
import { createLanes, type Lane, type Lanes } from '../../../core/work/lanes.ts';
import { createManualClock } from './manual-clock.ts';

const POP = 'SIN2-P1';
const GOOD: Answer = { ...unanswered('connection', 5), error: null, status: 200 };
const failed = (error: AskError) => unanswered(error, 1);
const status = (code: number, retryAfterMs = 0): Answer => ({ ...GOOD, status: code, retryAfterMs });

/** Work without end: counts what begins. */
function endless(lanes: Lanes, lane: Lane) {
  const source = { begun: 0, startNext: () => ++source.begun > 0 };
  lanes.add(lane, source);
  return source;
}

function openLanes(fixed: number | null = null) {
  const clock = createManualClock();
  const lanes = createLanes(clock, fixed);
  const lane = lanes.laneOf('r', POP);
  return { clock, lanes, lane };
}

/** So many asks end in this way, each slot taken again at once. */
async function answerAll({ clock, lanes, lane }: ReturnType<typeof openLanes>, answer: Answer, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await clock.pass(1);
    lanes.release(lane, answer);
  }
}

describe('the lane of one request at one POP', () => {
  it.each([
    ['a refused connection', failed('connection')],
    ['a TLS fault', failed('tls')],
    ['a time-out', failed('timeout')],
    ['an answer that is not HTTP', failed('protocol')],
    ['a 429', status(429)],
    ['a 500', status(500)],
    ['a 503', status(503)],
  ])('a lane shrinks to its floor while every answer is %s', async (_name, answer) => {
    const open = openLanes();
    endless(open.lanes, open.lane);
    expect(open.lane.inFlight).toBe(16);
    await answerAll(open, answer, 100);
    expect(open.lane.limit.limit).toBe(4);
    expect(open.lane.inFlight).toBe(4);
  });

  it('a lane never grows by refused connections, however quickly they come', async () => {
    const open = openLanes();
    endless(open.lanes, open.lane);
    let most = 0;
    for (let n = 0; n < 3000; n++) {
      await answerAll(open, failed('connection'), 1);
      most = Math.max(most, open.lane.limit.limit);
    }
    expect(most).toBe(16);
  });

  it.each([
    ['a 404', status(404)],
    ['an ask that was cancelled', failed('cancelled')],
    ['an address that may not be asked', failed('address_refused')],
  ])('a lane does not take %s for trouble', async (_name, answer) => {
    const open = openLanes();
    endless(open.lanes, open.lane);
    await answerAll(open, answer, 100);
    expect(open.lane.limit.limit).toBeGreaterThanOrEqual(16);
  });

  it('a lane begins nothing before the time that a refusal asked for, and everything then', async () => {
    const open = openLanes();
    const { clock, lanes, lane } = open;
    const source = endless(lanes, lane);
    lanes.release(lane, status(429, 4000));
    expect(source.begun).toBe(16);
    for (let n = 0; n < 15; n++) lanes.release(lane, GOOD);
    await clock.pass(3999);
    expect([source.begun, lane.inFlight, lanes.heldMs(lane)]).toEqual([16, 0, 1]);
    await clock.pass(1);
    expect(source.begun).toBe(32);
    expect(lanes.heldMs(lane)).toBe(0);
  });

  it('a lane holds for a minute at most, and for the longest wait that was asked for', async () => {
    const { clock, lanes, lane } = openLanes();
    const source = endless(lanes, lane);
    lanes.release(lane, status(503, 3_600_000));
    lanes.release(lane, status(429, 1000));
    expect(lanes.heldMs(lane)).toBe(60_000);
    await clock.pass(59_999);
    expect(source.begun).toBe(16);
    await clock.pass(1);
    expect(source.begun).toBe(18);
    expect(clock.waiting()).toBe(0);
  });

  it('a lane on hold does not hold other POPs or other requests', async () => {
    const { lanes, lane } = openLanes();
    endless(lanes, lane);
    lanes.release(lane, status(429, 30_000));
    for (const other of [lanes.laneOf('r', 'FRA56-P4'), lanes.laneOf('other', POP)]) {
      const source = endless(lanes, other);
      expect(source.begun).toBe(16);
      lanes.release(other, GOOD);
      expect(source.begun).toBe(17);
    }
  });

  it('a lane with a fixed number holds, too, and keeps the number', async () => {
    const open = openLanes(10);
    const source = endless(open.lanes, open.lane);
    await answerAll(open, status(503), 200);
    expect([open.lane.limit.limit, open.lane.inFlight]).toEqual([10, 10]);
    const before = source.begun;
    open.lanes.release(open.lane, status(503, 2000));
    expect(source.begun).toBe(before);
    await open.clock.pass(2000);
    expect(source.begun).toBe(before + 1);
  });

  it('a lane lets retries go before new targets once the hold is over', async () => {
    const { clock, lanes, lane } = openLanes();
    const source = endless(lanes, lane);
    lanes.release(lane, status(429, 1000));
    let taken = false;
    const retry = lanes.takeSlot(lane, new CancellableScope()).then((slot) => {
      taken = slot;
    });
    await clock.pass(999);
    expect(taken).toBe(false);
    await clock.pass(1);
    await retry;
    expect([taken, source.begun]).toEqual([true, 16]);
  });

  it('a lane lets nobody of a withdrawn scope wait, and keeps the places of the others', async () => {
    const { clock, lanes, lane } = openLanes(1);
    expect(await lanes.takeSlot(lane, new CancellableScope())).toBe(true);
    lanes.release(lane, status(429, 5000));
    const [gone, stays] = [new CancellableScope(), new CancellableScope()];
    const first = lanes.takeSlot(lane, gone);
    const second = lanes.takeSlot(lane, stays);
    gone.cancel();
    lanes.withdraw(lane, gone);
    expect(await first).toBe(false);
    expect(await lanes.takeSlot(lane, gone)).toBe(false);
    await clock.pass(5000);
    expect(await second).toBe(true);
    expect(lanes.inFlight()).toBe(1);
  });

  it('a lane leaves no timer behind when its request has ended or the agent stops', () => {
    const { clock, lanes, lane } = openLanes(1);
    void lanes.takeSlot(lane, new CancellableScope());
    lanes.release(lane, status(429, 5000));
    expect(clock.waiting()).toBe(1);
    lanes.forgetOthers(new Set());
    expect(clock.waiting()).toBe(0);
    const other = lanes.laneOf('other', POP);
    void lanes.takeSlot(other, new CancellableScope());
    lanes.release(other, status(429, 5000));
    lanes.close();
    expect(clock.waiting()).toBe(0);
  });
});

describe('the lanes of an agent', () => {
  it('the lanes of an agent stay within its total in flight, however many there are, and fill free slots', () => {
    const lanes = createLanes(createManualClock(), null);
    const sources = Array.from({ length: 6 }, (_, n) => endless(lanes, lanes.laneOf('r', `SIN${n}-P1`)));
    expect(sources.map(({ begun }) => begun)).toEqual([16, 16, 16, 16, 0, 0]);
    expect([lanes.inFlight(), lanes.free()]).toEqual([64, 0]);
    lanes.observeLoad(0.1);
    expect(lanes.inFlight()).toBe(96);
    expect(sources.map(({ begun }) => begun)).toEqual([16, 16, 16, 16, 16, 16]);
    expect(lanes.free()).toBe(32);
  });

  it('the lanes of an agent go on to the next source when the first is empty, and do not ask an empty one again', () => {
    const { lanes, lane } = openLanes(3);
    const asked: string[] = [];
    const add = (name: string, targets: number) => {
      let left = targets;
      lanes.add(lane, {
        startNext: () => {
          asked.push(name);
          return left-- > 0;
        },
      });
    };
    add('a', 2);
    add('b', 2);
    expect(asked).toEqual(['a', 'a', 'a', 'b']);
    expect(lanes.inFlight()).toBe(3);
    for (let n = 0; n < 3; n++) lanes.release(lane, GOOD);
    expect(asked).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
    expect(lanes.inFlight()).toBe(1);
  });

  it('the lanes of an agent begin nothing of a removed source, and keep a lane while something is in flight', () => {
    const { lanes, lane } = openLanes(2);
    const source = endless(lanes, lane);
    lanes.remove(lane, source);
    lanes.release(lane, GOOD);
    expect([source.begun, lanes.inFlight()]).toEqual([2, 1]);
    lanes.forgetOthers(new Set());
    expect(lanes.laneOf('r', POP)).toBe(lane);
    lanes.release(lane, GOOD);
    lanes.forgetOthers(new Set());
    expect(lanes.laneOf('r', POP)).not.toBe(lane);
  });

  it('the lanes of an agent give back an unused slot without learning from it', async () => {
    const { clock, lanes, lane } = openLanes();
    endless(lanes, lane);
    for (let n = 0; n < 100; n++) {
      await clock.pass(1);
      lanes.release(lane, null);
    }
    expect([lane.limit.limit, lane.inFlight]).toEqual([16, 16]);
  });
});
