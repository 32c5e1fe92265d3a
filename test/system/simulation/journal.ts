import { hashText } from '../../../testing/random.ts';
import type { VirtualTime } from '../../../testing/virtual-time.ts';

/** What happened in a run, in order, and what of it must never happen. */
export interface Journal {
  note(who: string, what: string): void;
  /** An invariant does not hold; said once however often it is found. */
  violated(invariant: string): void;
  readonly violations: readonly string[];
  /** Of everything noted so far: two runs of one seed agree in it. */
  hash(): string;
}

/** `onLine` is told every line, for a person who replays a seed. */
export function createJournal(time: VirtualTime, onLine: ((line: string) => void) | null): Journal {
  const violations: string[] = [];
  let hash = 0x811c9dc5;
  let events = 0;
  const write = (line: string) => {
    events += 1;
    hash = hashText(line, hash);
    onLine?.(line);
  };
  return {
    note: (who, what) => write(`${time.now()} ${who} ${what}`),
    violated: (invariant) => {
      if (violations.includes(invariant)) return;
      violations.push(invariant);
      write(`${time.now()} VIOLATED ${invariant}`);
    },
    violations,
    hash: () => `${hash.toString(16).padStart(8, '0')}-${events}`,
  };
}
