/** Largest piece handed to a socket at once. */
export const PIECE_BYTES = 65_536;

/** Twice the period, so that a piece is contiguous wherever it starts. */
const pattern = Buffer.allocUnsafe(2 * PIECE_BYTES);
for (let at = 0, state = 0x2545_f491; at < PIECE_BYTES; at++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  pattern[at] = state >>> 24;
  pattern[at + PIECE_BYTES] = state >>> 24;
}

/**
 * Bytes `start` to `end` (exclusive) of any object, at most PIECE_BYTES of them: a view of the one buffer that
 * all objects are made of, so that no object is ever held in memory.
 */
export function objectBytes(start: number, end: number): Buffer {
  const from = start % PIECE_BYTES;
  return pattern.subarray(from, from + Math.min(end - start, PIECE_BYTES));
}
