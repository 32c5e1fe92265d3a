import type { Clock } from './clock.ts';
import type { AskScope } from './ports/downloader.ts';

/** A scope that can be cancelled; a plain set instead of AbortSignal, whose listeners cost several microseconds an ask. */
export class CancellableScope implements AskScope {
  cancelled = false;
  bytes = 0;
  readonly #cancels = new Set<() => void>();

  onCancel(cancel: () => void): () => void {
    if (this.cancelled) cancel();
    else this.#cancels.add(cancel);
    return () => this.#cancels.delete(cancel);
  }

  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}

/** Waits so long, but not beyond the moment in which the scope is cancelled. */
export function pauseIn(scope: AskScope, clock: Clock, ms: number): Promise<void> {
  if (ms <= 0 || scope.cancelled) return Promise.resolve();
  return new Promise((resolve) => {
    const stopTimer = clock.after(ms, () => {
      withdraw();
      resolve();
    });
    const withdraw = scope.onCancel(() => {
      stopTimer();
      resolve();
    });
  });
}
