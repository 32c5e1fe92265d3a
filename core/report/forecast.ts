import type { RequestRow } from '../request/request.ts';

/** Rates measured over less than this say nothing yet: agents start, connections open. */
const MEASURED_AFTER_MS = 3000;

/**
 * Why the rest of a running request cannot be done before its time-out, at the measured rate; null: it can, or nothing is
 * known yet. `left`: targets to do; `rate`: targets per second.
 */
export function forecastTimeout(row: RequestRow, left: number, rate: number, now: number): string | null {
  if (row.status !== 'IN_PROGRESS' || row.timeoutAt === null || row.queuedAt === null) return null;
  if (rate <= 0 || now - row.queuedAt < MEASURED_AFTER_MS) return null;
  const neededMs = (left / rate) * 1000;
  const leftMs = Math.max(0, row.timeoutAt - now);
  if (neededMs <= leftMs) return null;
  const speed = rate < 10 ? rate.toFixed(1) : Math.round(rate);
  return `will not be done in time: ${left} targets at ${speed}/s take ${inWords(neededMs)}, and the timeout comes in ${inWords(leftMs)}; more agents, fewer URLs or POPs, or a longer timeout would help`;
}

/** Seconds below two minutes, else minutes or hours. */
export function inWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
