import { getSystemErrorMessage } from 'node:util';
import { PrewarmError } from '../../core/errors.ts';

let failure: Error | null = null;

/**
 * Keeps a command going whose output cannot be written any more; to be called once, before anything is written.
 *
 * Standard output carries results. Where its reader has gone (EPIPE, as in `prewarm run --json | head -1`), the command ends without a
 * word: a run that is under way is ended as by SIGTERM, so that its agents give back what they hold; anything else just exits. Any other
 * fault (a full disk, a terminal that has gone) is kept for `throwIfOutputLost`, and the work goes on.
 *
 * Standard error carries progress and messages. Where nobody can read those, the work and its exit code are still worth finishing.
 */
export function surviveOutputFaults(): void {
  let closed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      failure ??= error;
      return;
    }
    if (closed) return;
    closed = true;
    if (process.listenerCount('SIGTERM') > 0) process.emit('SIGTERM');
    else process.exit();
  });
  process.stderr.on('error', () => {});
}

/** Throws PrewarmError `output` if something that was written to standard output has been lost. */
export async function throwIfOutputLost(): Promise<void> {
  // A stream tells of a failed write in a later turn; its writes are done in order.
  await new Promise<void>((resolve) => {
    process.stdout.write('', () => setImmediate(resolve));
  });
  if (failure === null) return;
  const lost = failure;
  throw new PrewarmError('output', `the output could not be written: ${describe(lost)}`, { cause: lost });
}

function describe(error: NodeJS.ErrnoException): string {
  return error.errno === undefined ? error.message : getSystemErrorMessage(error.errno);
}
