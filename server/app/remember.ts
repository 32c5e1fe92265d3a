import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import type { Clock } from '../../core/clock.ts';
import { isEnded, type RequestRow } from '../../core/request/request.ts';

const RUNNING_LASTS_MS = 1000;
/** Of all answers that are kept: two bytes each at most. */
const MAX_CHARACTERS = 16 * 1024 * 1024;
/** Each reads a request's results, and holds what it found. */
const AT_ONCE = 2;

/** What is kept of an answer costs about so many characters. */
function charactersIn(value: unknown): number {
  if (typeof value === 'string') return value.length + 1;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, part: unknown) => sum + charactersIn(part), 1);
}

/**
 * Remembers what was worked out from a request's results, which takes reading them: for good once the request has ended, for
 * a second while it runs. Whoever asks while it is being worked out waits for that same answer, however long it takes.
 */
export function createRecent<T extends object>(
  clock: Pick<Clock, 'now'>,
  workOut: (row: RequestRow) => Promise<T>,
): (row: RequestRow) => Promise<T> {
  const pending = new Map<string, Promise<T>>();
  const kept = new LRUCache<string, { readonly answer: T; readonly until: number }>({
    maxSize: MAX_CHARACTERS,
    sizeCalculation: ({ answer }) => charactersIn(answer),
  });
  const limit = pLimit(AT_ONCE);

  async function start(row: RequestRow, key: string): Promise<T> {
    try {
      const answer = await limit(workOut, row);
      kept.set(key, { answer, until: isEnded(row.status) ? Number.POSITIVE_INFINITY : clock.now() + RUNNING_LASTS_MS });
      return answer;
    } finally {
      pending.delete(key);
    }
  }

  return (row) => {
    const key = `${row.id} ${row.status}`;
    const known = kept.get(key);
    if (known !== undefined && clock.now() < known.until) return Promise.resolve(known.answer);
    const under = pending.get(key) ?? start(row, key);
    pending.set(key, under);
    return under;
  };
}

/** The same answer to whoever asks within `lastsMs`. */
export function remember<T>(clock: Pick<Clock, 'now'>, lastsMs: number, ask: () => Promise<T>): () => Promise<T> {
  let known: { readonly at: number; readonly answer: Promise<T> } | null = null;
  return () => {
    const now = clock.now();
    if (known !== null && Math.abs(now - known.at) <= lastsMs) return known.answer;
    const answer = ask();
    known = { at: now, answer };
    // A failure is the caller's own: the next one asks again.
    answer.catch(() => {
      if (known?.answer === answer) known = null;
    });
    return answer;
  };
}
