const HTTP_DATE = /^[A-Za-z]{3,9},? .+ \d{1,2}:\d{2}:\d{2}/;

/**
 * How long a `Retry-After` asks to wait, milliseconds; 0: it asks for nothing that can be waited for (absent, in the past, or neither a number of
 * seconds nor a date). A date is compared with the answer's own `Date`, where it has one, so that a wrong clock on either side does no harm.
 */
export function parseRetryAfter(value: string, date: string, now: number): number {
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!HTTP_DATE.test(text)) return 0;
  const sentAt = HTTP_DATE.test(date.trim()) ? Date.parse(date.trim()) : Number.NaN;
  const wait = Date.parse(text) - (Number.isNaN(sentAt) ? now : sentAt);
  return Math.max(wait, 0);
}
