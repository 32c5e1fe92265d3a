/** The least value that at least `share` (0 to 1) of the sorted values do not exceed (nearest rank); NaN: there are none. */
export function quantileOf(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle of the sorted values, or the mean of the two in the middle; NaN: there are none. */
export function medianOf(sorted: readonly number[]): number {
  return (quantileOf(sorted, 0.5) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}

/** For both of them. */
export const ascending = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);
