/** Time that passes from one timer to the next, all work of the moment done in between. */
export interface VirtualTime {
  /** Milliseconds since the start. */
  now(): number;
  /** Runs `fn` once, in `ms`; returns a function that cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** Fires timers in the order of (time, when set) until `isDone`, asked after each, or until `limit`. */
  run(isDone: () => boolean, limit: number): Promise<void>;
}

interface Timer {
  readonly at: number;
  readonly sequence: number;
  fn: (() => void) | null;
}

export function createVirtualTime(): VirtualTime {
  const timers = createTimerHeap();
  let now = 0;
  let set = 0;
  return {
    now: () => now,
    after: (ms, fn) => {
      const timer: Timer = { at: now + Math.max(0, Math.ceil(ms)), sequence: set++, fn };
      timers.push(timer);
      return () => {
        timer.fn = null;
      };
    },
    run: async (isDone, limit) => {
      await promisesSettle();
      while (!isDone()) {
        const timer = timers.pop();
        if (timer === undefined || timer.at > limit) return;
        if (timer.fn === null) continue;
        now = timer.at;
        timer.fn();
        await promisesSettle();
      }
    },
  };
}

/** A turn of the event loop begins only when no promise has anything left to do. */
const promisesSettle = () => new Promise<void>((resolve) => setImmediate(resolve));

const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.sequence < b.sequence);

function createTimerHeap() {
  const heap: Timer[] = [];
  const at = (index: number) => heap[index] as Timer;
  const swap = (a: number, b: number) => {
    const timer = at(a);
    heap[a] = at(b);
    heap[b] = timer;
  };
  return {
    push(timer: Timer): void {
      let index = heap.push(timer) - 1;
      for (let parent = (index - 1) >> 1; index > 0 && isBefore(at(index), at(parent)); parent = (index - 1) >> 1) {
        swap(index, parent);
        index = parent;
      }
    },
    pop(): Timer | undefined {
      const first = heap[0];
      const last = heap.pop();
      if (heap.length === 0 || last === undefined) return first;
      heap[0] = last;
      for (let index = 0; ; ) {
        let least = index;
        for (const child of [2 * index + 1, 2 * index + 2]) if (child < heap.length && isBefore(at(child), at(least))) least = child;
        if (least === index) return first;
        swap(index, least);
        index = least;
      }
    },
  };
}
