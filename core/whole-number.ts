/** As many as every number of which is exact. */
const DIGITS = /^\d{1,15}$/;

/** A whole number, also written as text; null: it is none, or lies outside of the range. */
export function readWholeNumber(value: number | string, from: number, to: number): number | null {
  const number = typeof value === 'string' ? (DIGITS.test(value.trim()) ? Number(value) : Number.NaN) : value;
  return Number.isInteger(number) && number >= from && number <= to ? number : null;
}
