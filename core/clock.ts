/** The only source of time in the core. Milliseconds since the epoch; may jump, as clocks do. */
export interface Clock {
  now(): number;
  /** Runs `fn` once, `ms` milliseconds from now; returns a function that cancels it. */
  after(ms: number, fn: () => void): () => void;
}

export const systemClock: Clock = {
  now: Date.now,
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}

/** `YYYY-MM-DD HH:MM:SS.ffffff`, UTC: the format existing users' scripts parse. */
export function formatTimestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23).replace('T', ' ')}000`;
}
