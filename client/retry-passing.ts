import { ApiError } from './api-error.ts';

export interface RetryOptions {
  /** Gives up when the next try would begin later than this after the first. */
  readonly forMs: number;
  readonly signal: AbortSignal;
  /** Whether this failure may be tried again; `isPassing` holds. */
  readonly mayRetry?: (error: ApiError) => boolean;
  /** Told once, before the first pause. */
  readonly onPause?: (error: ApiError) => void;
  readonly firstPauseMs?: number;
}

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 10_000;

/** Waits; throws the signal's reason when that is aborted meanwhile. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** Asks until there is an answer, with pauses that double, as long as the failures are of the passing kind. */
export async function retryPassing<T>(ask: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { forMs, signal, mayRetry = () => true, onPause, firstPauseMs = FIRST_PAUSE_MS } = options;
  const startedAt = performance.now();
  let wait = firstPauseMs;
  let isTold = false;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isLate = performance.now() + wait - startedAt > forMs;
      if (!(error instanceof ApiError) || !error.isPassing || !mayRetry(error) || isLate) throw error;
      if (!isTold) onPause?.(error);
      isTold = true;
    }
    // Many clients of one server that comes back must not all ask at once.
    await pause(wait * (0.75 + Math.random() / 2), signal);
    wait = Math.min(MAX_PAUSE_MS, wait * 2);
  }
}
