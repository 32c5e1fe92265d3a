import { onInterrupt } from './signals.ts';
import { EXIT } from './exit-code.ts';

/** Why a command ends before its work does. */
class Interrupted extends Error {}

/**
 * Does `work`, whose result is the exit code, until it is done or Ctrl-C aborts its signal. Then `tell` says what is left
 * behind, and the code is 130.
 */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<number>, tell: () => void): Promise<number> {
  const interrupt = new AbortController();
  const stopListening = onInterrupt(() => interrupt.abort(new Interrupted()));
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    tell();
    return EXIT.interrupted;
  } finally {
    stopListening();
  }
}
