const INTERRUPTED = 130;

/** What listens here; `process` does. */
export interface SignalSource {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  off(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
}

/**
 * The first SIGINT or SIGTERM calls `stop`, once; a second one means it, and exits with 130 at once.
 * Returns a function that stops listening, after which a signal ends the process as usual.
 */
export function onInterrupt(
  stop: () => void,
  { source = process, exit = (code: number) => process.exit(code) }: { source?: SignalSource; exit?: (code: number) => void } = {},
): () => void {
  let asked = false;
  const listener = () => {
    if (asked) {
      exit(INTERRUPTED);
      return;
    }
    asked = true;
    stop();
  };
  source.on('SIGINT', listener);
  source.on('SIGTERM', listener);
  return () => {
    source.off('SIGINT', listener);
    source.off('SIGTERM', listener);
  };
}
