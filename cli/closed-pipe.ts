/**
 * Whoever read our output has had enough (`prewarm run --json | head -1`): end without a word. A run that is under way
 * is ended as by SIGTERM, so that its agents give back what they hold; anything else just exits.
 */
export function endQuietlyOnClosedPipe(): void {
  let closed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (closed) return;
    closed = true;
    if (process.listenerCount('SIGTERM') > 0) process.emit('SIGTERM');
    else process.exit();
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    // Nobody reads the messages; the work and its exit code are still worth finishing.
    if (error.code !== 'EPIPE') throw error;
  });
}
