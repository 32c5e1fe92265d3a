import type { Answer } from '../ports/downloader.ts';

/** The longest wait that an answer may ask for; whoever asks for more is asked again then. */
const MAX_WAIT_MS = 60_000;
/** After a refusal that does not say how long to wait, doubled with each further one. */
const FIRST_PAUSE_MS = 500;

/** Whether the POP, or the origin behind it, asks to come again later. */
export function isRefusal({ error, status }: Answer): boolean {
  return error === null && (status === 429 || status === 503);
}

/** How long the answer asks to wait, milliseconds; 0: it does not. */
export function askedWaitMs({ retryAfterMs = 0 }: Answer): number {
  return Math.min(retryAfterMs, MAX_WAIT_MS);
}

/** How long to wait after the nth refusal in a row that does not say when to come again. */
export function pauseAfterRefusal(refusals: number): number {
  return Math.min(MAX_WAIT_MS, FIRST_PAUSE_MS * 2 ** (refusals - 1));
}
