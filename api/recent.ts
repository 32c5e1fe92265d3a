import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';
import { isEnded, type RequestRow } from '../core/request.ts';

const KEPT = 100;
const RUNNING_LASTS_MS = 1000;

/**
 * Remembers what was worked out from a request's results, which takes reading them: for good once the request has ended, for
 * a second while it runs. Whoever asks meanwhile waits for the same answer.
 */
export function createRecent<T>(clock: Pick<Clock, 'now'>, workOut: (row: RequestRow) => Promise<T>): (row: RequestRow) => Promise<T> {
  const kept = new LRUCache<string, { readonly answer: Promise<T>; readonly until: number }>({ max: KEPT });
  return (row) => {
    const key = `${row.id} ${row.status}`;
    const known = kept.get(key);
    if (known !== undefined && clock.now() < known.until) return known.answer;
    const answer = workOut(row);
    kept.set(key, { answer, until: isEnded(row.status) ? Number.POSITIVE_INFINITY : clock.now() + RUNNING_LASTS_MS });
    answer.catch(() => kept.delete(key));
    return answer;
  };
}
