import { ascending, medianOf } from '../core/quantile.ts';

export function median(values: readonly number[]): number {
  return medianOf(ascending(values));
}

/** Median, and from the least to the most, in whole numbers. */
export function spread(values: readonly number[]): string {
  const whole = (value: number) => Math.round(value).toLocaleString('en-US');
  return `${whole(median(values))} (${whole(Math.min(...values))}–${whole(Math.max(...values))})`;
}

/** Of the medians, two decimals. */
export function ratio(ours: readonly number[], rivals: readonly number[]): string {
  return (median(ours) / median(rivals)).toFixed(2);
}

export function markdownTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |\n`;
  return `${line(head)}${line(head.map(() => '---'))}${rows.map(line).join('')}`;
}

export const MIB = 1 << 20;
