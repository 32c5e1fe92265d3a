export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
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
