import { type Clock, sleep } from '../../core/clock.ts';
import { PrewarmError } from '../../core/errors.ts';

/** An entry that a batch call left undone although it answered with success. */
export interface FailedEntry<T> {
  readonly entry: T;
  /** What AWS says, for the message of the error. */
  readonly reason: string;
  /** The entry itself is wrong: sending it again changes nothing. */
  readonly isHopeless?: boolean;
}

const TRIES = 8;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * The pause after the `tried`th try (from 1), milliseconds: twice as long each time up to `longestMs`, of which half is
 * left to chance, so that those who failed together do not come back together.
 */
export function jitteredPause(tried: number, firstMs = FIRST_PAUSE_MS, longestMs = LONGEST_PAUSE_MS): number {
  return Math.min(longestMs, firstMs * 2 ** (tried - 1)) * (0.5 + Math.random() / 2);
}

/**
 * Sends the entries of one batch call, and those again that its answer reports as failed, until none is left: up to 8
 * times within about 5 seconds. Throws PrewarmError `storage` when some remain; what `send` throws goes through.
 */
export async function sendBatch<T>(
  doing: string,
  entries: readonly T[],
  send: (entries: readonly T[]) => Promise<readonly FailedEntry<T>[]>,
  clock: Clock,
): Promise<void> {
  let left = entries;
  for (let tried = 1; left.length > 0; tried++) {
    const failed = await send(left);
    left = failed.map(({ entry }) => entry);
    const hopeless = failed.find(({ isHopeless }) => isHopeless);
    if (hopeless !== undefined || (left.length > 0 && tried === TRIES)) {
      const reason = (hopeless ?? failed[0])?.reason ?? '';
      throw new PrewarmError('storage', `${doing}: ${left.length} of ${entries.length} entries failed: ${reason}; try again`);
    }
    if (left.length > 0) await sleep(clock, jitteredPause(tried));
  }
}
