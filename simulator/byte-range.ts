/** The one range of a Range header, before the object's size is known. `start` null: the last `end` bytes. */
export interface RangeSpec {
  readonly start: number | null;
  readonly end: number | null;
}

/** Bytes `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Null: no Range header, or one that is to be ignored (malformed, several ranges, another unit). */
export function parseRange(header: string | undefined): RangeSpec | null {
  const match = header === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  if (match === null || (match[1] === '' && match[2] === '')) return null;
  const start = match[1] === '' ? null : Number(match[1]);
  const end = match[2] === '' ? null : Number(match[2]);
  return start !== null && end !== null && end < start ? null : { start, end };
}

/** Null: the object has no such bytes (416). */
export function resolveRange(spec: RangeSpec, size: number): ByteRange | null {
  if (spec.start === null) {
    const last = spec.end ?? 0;
    return last === 0 || size === 0 ? null : { start: Math.max(0, size - last), end: size - 1 };
  }
  return spec.start >= size ? null : { start: spec.start, end: Math.min(spec.end ?? size - 1, size - 1) };
}
