import type { Clock } from '../core/clock.ts';

/** Time that passes only when told. */
export interface ManualClock extends Clock {
  /** Fires what falls due, in order, letting promises settle in between. */
  pass(ms: number): Promise<void>;
}

export function createManualClock(start: number): ManualClock {
  let now = start;
  const timers = new Set<{ readonly at: number; readonly fn: () => void }>();
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => now,
    after: (ms, fn) => {
      const timer = { at: now + ms, fn };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pass: async (ms) => {
      const end = now + ms;
      for (;;) {
        await settle();
        const [next] = [...timers].filter((timer) => timer.at <= end).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        now = Math.max(now, next.at);
        timers.delete(next);
        next.fn();
      }
      now = end;
    },
  };
}
