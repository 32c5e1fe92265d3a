const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const;
const SECOND_MS = 1000;
const MINUTE_S = 60;
const HOUR_S = 3600;

/** `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Decimal units, as CloudFront bills: `999 B`, `1.5 kB`, `64.0 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** A duration, milliseconds, as people say it: `1.2 s`, `3 min 04 s`, `2 h 05 min`. */
export function formatDuration(ms: number): string {
  const seconds = ms / SECOND_MS;
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : formatSeconds(Math.round(seconds));
}

/** How long something may still take, in whole seconds: `8 s`. Nobody knows tenths of it. */
export function formatTimeLeft(seconds: number): string {
  return formatSeconds(Math.ceil(seconds));
}

function formatSeconds(whole: number): string {
  if (whole < MINUTE_S) return `${whole} s`;
  const pad = (value: number) => String(value).padStart(2, '0');
  if (whole < HOUR_S) return `${Math.floor(whole / MINUTE_S)} min ${pad(whole % MINUTE_S)} s`;
  return `${Math.floor(whole / HOUR_S)} h ${pad(Math.floor((whole % HOUR_S) / MINUTE_S))} min`;
}

/** Milliseconds in the table's columns: three figures are enough to compare. */
export function formatMilliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : formatCount(ms);
}

/** Targets per second. */
export function formatRate(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : formatCount(rate);
}

/** `1 target`, `2 targets`. */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
