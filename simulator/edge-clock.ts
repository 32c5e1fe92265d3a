/** The time of an edge. */
export interface EdgeClock {
  /** Milliseconds; the caches go by it. */
  readonly now: () => number;
  /** Goes by the machine's own time. A pause that stands when the edge ends never ends. */
  readonly wait: (ms: number) => Promise<void>;
}

/** Pauses of one edge, which `clear` leaves without an end. */
export function createEdgeClock(now: () => number): EdgeClock & { clear(): void } {
  const timers = new Set<NodeJS.Timeout>();
  return {
    now,
    wait(ms) {
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          timers.delete(timer);
          resolve();
        }, ms);
        timers.add(timer);
      });
    },
    clear() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
