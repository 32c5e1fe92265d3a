import type { Clock } from '../../core/clock.ts';

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
