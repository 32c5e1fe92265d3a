import { type Clock, sleep } from './clock.ts';

/** How often an action is tried, and when again. */
export interface RetryPlan {
  /** In all, the first included. */
  readonly tries: number;
  /** Milliseconds after the `tried`th try, from 1. */
  readonly pauseMs: (tried: number) => number;
  /** Whether the same action may succeed in a moment. Asked of every failure but the last try's. */
  readonly mayPass: (error: unknown) => boolean;
}

/** Runs an action until it succeeds, or fails with something that does not pass, or for the last time: then it throws that failure. */
export async function retry<T>(clock: Clock, { tries, pauseMs, mayPass }: RetryPlan, action: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await action();
    } catch (error) {
      if (tried >= tries || !mayPass(error)) throw error;
    }
    await sleep(clock, pauseMs(tried));
  }
}
