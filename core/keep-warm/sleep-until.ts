import type { Clock } from '../clock.ts';
import type { AskScope } from '../ports/downloader.ts';

/** Sleeps until `at`, or until the scope is cancelled. */
export function sleepUntil(clock: Clock, at: number, scope: AskScope): Promise<void> {
  const ms = at - clock.now();
  if (ms <= 0 || scope.cancelled) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      stopTimer();
      stopListening();
      resolve();
    };
    const stopTimer = clock.after(ms, wake);
    const stopListening = scope.onCancel(wake);
  });
}
