import type { Clock } from '../../core/clock.ts';

interface Gathered<T> {
  readonly entries: T[];
  readonly done: Promise<void>;
  readonly go: () => void;
}

/**
 * Turns single calls into batches: what comes within `forMs` of the first, at most `max`, is handed to `send` together.
 * Each call resolves or rejects as the `send` of its batch does.
 */
export function createGathering<T>(
  clock: Clock,
  { max, forMs }: { readonly max: number; readonly forMs: number },
  send: (entries: readonly T[]) => Promise<void>,
): (entry: T) => Promise<void> {
  let current: Gathered<T> | null = null;

  function begin(): Gathered<T> {
    const start = Promise.withResolvers<void>();
    const entries: T[] = [];
    const cancel = clock.after(forMs, start.resolve);
    const done = start.promise.then(() => {
      cancel();
      if (current?.entries === entries) current = null;
      return send(entries);
    });
    return { entries, done, go: start.resolve };
  }

  return (entry) => {
    current ??= begin();
    const { entries, done, go } = current;
    entries.push(entry);
    if (entries.length === max) {
      current = null;
      go();
    }
    return done;
  };
}
