import { describe, expect, it } from 'vitest';
import { AgentLimit } from '../../../core/work/agent-limit.ts';
import { InFlightLimit } from '../../../core/work/in-flight-limit.ts';

const OPTIONS = { start: 64, floor: 4, ceiling: 512 };

/** Answers of a saturated lane at so many targets a second for each one in flight, up to `capacity` in flight. */
function serve(limit: InFlightLimit, answers: number, capacity: number, from = 0): number {
  let now = from;
  for (let n = 0; n < answers; n++) {
    now += 1000 / Math.min(limit.limit, capacity);
    limit.ended(now, 0, true);
  }
  return now;
}

describe('the in-flight limit of a POP', () => {
  it('the limit of a POP keeps halving while every answer is trouble, down to its floor and no further', () => {
    const limit = new InFlightLimit(OPTIONS);
    const seen = new Set<number>();
    for (let n = 0; n < 400; n++) {
      limit.trouble();
      seen.add(limit.limit);
    }
    expect([...seen]).toEqual([64, 32, 16, 8, 4]);
    expect(limit.limit).toBe(4);
  });

  it('the limit of a POP halves once for what was in flight when the trouble began', () => {
    const limit = new InFlightLimit(OPTIONS);
    for (let n = 0; n < 64; n++) limit.trouble();
    expect(limit.limit).toBe(32);
  });

  it('the limit of a POP halves while a third of the answers is trouble, and not for one among many', () => {
    const third = new InFlightLimit(OPTIONS);
    for (let n = 0; n < 600; n++) {
      if (n % 3 === 0) third.trouble();
      else third.ended(n, 0, true);
    }
    expect(third.limit).toBe(4);
    const single = new InFlightLimit({ ...OPTIONS, ceiling: 64 });
    for (let n = 0; n < 2000; n++) {
      if (n % 64 === 0) single.trouble();
      else single.ended(n, 0, true);
    }
    expect(single.limit).toBe(64);
  });

  it('the limit of a POP halves for a lane that is not full, too', () => {
    const limit = new InFlightLimit({ ...OPTIONS, start: 16 });
    for (let n = 0; n < 200; n++) {
      limit.ended(n, 0, false);
      limit.trouble();
    }
    expect(limit.limit).toBe(4);
  });

  it('the limit of a POP recovers after trouble while a higher limit brings more', () => {
    const limit = new InFlightLimit(OPTIONS);
    for (let n = 0; n < 400; n++) limit.trouble();
    expect(limit.limit).toBe(4);
    serve(limit, 2000, 64);
    expect(limit.limit).toBeGreaterThanOrEqual(64);
  });

  it('the limit of a POP grows to its ceiling and no further while growing pays', () => {
    const limit = new InFlightLimit({ ...OPTIONS, start: 16, ceiling: 100 });
    serve(limit, 20_000, 10_000);
    expect(limit.limit).toBe(100);
  });

  it('the limit of a POP stays for eight windows where doubling brought no more, and then tries again', () => {
    const limit = new InFlightLimit({ ...OPTIONS, start: 16 });
    const seen: number[] = [];
    for (let window = 0, now = 0; window < 12; window++) {
      now = serve(limit, 2 * limit.limit, 32, now);
      seen.push(limit.limit);
    }
    expect(seen).toEqual([32, ...Array.from({ length: 10 }, () => 64), 128]);
  });

  it('the limit of a POP weighs large objects by their bytes, so that fewer of them a second are no loss', () => {
    const limit = new InFlightLimit({ start: 16, floor: 4, ceiling: 64 });
    let now = 0;
    const windowOf = (bytes: number, msEach: number) => {
      for (let n = 2 * limit.limit; n > 0; n--) {
        now += msEach;
        limit.ended(now, bytes, true);
      }
    };
    windowOf(1024, 1);
    expect(limit.limit).toBe(32);
    windowOf(64 * 64 * 1024, 10);
    expect(limit.limit).toBe(64);
  });

  it('the limit of a POP measures nothing while it holds nothing back', () => {
    const limit = new InFlightLimit({ ...OPTIONS, start: 16 });
    for (let n = 0; n < 5000; n++) limit.ended(n, 1_000_000, n % 31 !== 30);
    expect(limit.limit).toBe(16);
  });

  it('the limit of a POP never leaves a fixed number', () => {
    const limit = new InFlightLimit({ start: 10, floor: 10, ceiling: 10 });
    for (let n = 0; n < 500; n++) limit.trouble();
    expect(limit.limit).toBe(10);
    serve(limit, 5000, 1000);
    expect(limit.limit).toBe(10);
  });
});

describe('the limit of a whole agent', () => {
  it('the limit of an agent doubles while it holds downloads back and the processor is idle, up to its ceiling', () => {
    const limit = new AgentLimit(64, 512);
    for (let n = 0; n < 10; n++) limit.observe(0.2, true);
    expect(limit.limit).toBe(512);
  });

  it('the limit of an agent stays where nothing waits, or where the processor has little time to spare', () => {
    const limit = new AgentLimit(64, 512);
    limit.observe(0.2, false);
    limit.observe(0.8, true);
    expect(limit.limit).toBe(64);
  });

  it('the limit of an agent shrinks while the processor has no time to spare, down to its floor', () => {
    const limit = new AgentLimit(64, 512);
    limit.observe(0.2, true);
    limit.observe(0.95, true);
    expect(limit.limit).toBe(115);
    for (let n = 0; n < 20; n++) limit.observe(0.95, true);
    expect(limit.limit).toBe(64);
  });
});
