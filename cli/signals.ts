import { isHangupIgnored } from './hangup.ts';
import { EXIT } from './exit-code.ts';

type Interrupt = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** What listens here; `process` does. */
interface SignalSource {
  on(signal: Interrupt, listener: () => void): unknown;
  off(signal: Interrupt, listener: () => void): unknown;
}

interface InterruptOptions {
  readonly source?: SignalSource;
  readonly exit?: (code: number) => void;
  /** Whether SIGHUP means nothing, as under `nohup`. */
  readonly ignoresHangup?: boolean;
}

/**
 * The first SIGINT, SIGTERM or SIGHUP calls `stop`, once. A later SIGINT or SIGTERM means it, and exits with 130 at once; a later SIGHUP
 * does not, since a terminal that goes away sends several. Returns a function that stops listening, after which a signal ends the
 * process as usual.
 */
export function onInterrupt(stop: () => void, options: InterruptOptions = {}): () => void {
  const { source = process, exit = (code: number) => process.exit(code), ignoresHangup = isHangupIgnored() } = options;
  let asked = false;
  const stopOnce = () => {
    if (asked) return;
    asked = true;
    stop();
  };
  const stopOrExit = () => (asked ? exit(EXIT.interrupted) : stopOnce());
  source.on('SIGINT', stopOrExit);
  source.on('SIGTERM', stopOrExit);
  if (!ignoresHangup) source.on('SIGHUP', stopOnce);
  return () => {
    source.off('SIGINT', stopOrExit);
    source.off('SIGTERM', stopOrExit);
    source.off('SIGHUP', stopOnce);
  };
}
