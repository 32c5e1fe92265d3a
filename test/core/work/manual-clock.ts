import type { Clock } from '../../../core/clock.ts';

export interface ManualClock extends Clock {
  /** Timers that have neither fired nor been taken back. */
  readonly waiting: () => number;
  /** Lets so much time pass; what is due fires in its order. */
  pass(ms: number): Promise<void>;
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A clock that stands still until a test moves it. */
export function createManualClock(): ManualClock {
  let now = 1_000_000;
  const timers = new Set<{ readonly at: number; readonly fn: () => void }>();
  return {
    now: () => now,
    after(ms, fn) {
      const timer = { at: now + ms, fn };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    waiting: () => timers.size,
    async pass(ms) {
      const end = now + ms;
      await settle();
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = next.at;
        next.fn();
        await settle();
      }
      now = end;
    },
  };
}
