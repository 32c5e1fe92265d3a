import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { FAILURES } from '../../core/failures.ts';
import { plainText } from '../../core/plain-text.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { formatFaults } from './faults.ts';
import { wrapAt, wrapNote } from './screen.ts';

function totalFaults(error: InvalidInput): number {
  return 'total' in error && typeof error.total === 'number' ? error.total : error.faults.length + error.omitted;
}

const canSkipLines = (error: InvalidInput) => !('canSkip' in error && error.canSkip === false);

/** Tells people what ended the program, in as few lines as that takes, and returns the exit code. The stack only when debugging. */
export function reportError(
  error: unknown,
  options: {
    readonly stderr: Pick<NodeJS.WritableStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number };
    readonly debug: boolean;
    /** What wrong input has prevented; default: that anything was sent. */
    readonly undone?: 'sent' | 'started';
  },
): ExitCode {
  const { debug, undone } = options;
  const width = wrapAt(options.stderr);
  const stderr = { write: (text: string) => options.stderr.write(wrapNote(text, width)) };
  const isInput = error instanceof InvalidInput;
  if (isInput) stderr.write(formatFaults(error.faults, totalFaults(error), canSkipLines(error), undone));
  else {
    const message = error instanceof Error ? error.message : String(error);
    const prefix = error instanceof PrewarmError ? '' : 'unexpected error: ';
    stderr.write(`prewarm: ${prefix}${plainText(message.replaceAll('\n', ' '))}\n`);
  }
  if (debug && error instanceof Error)
    options.stderr.write(`${error.stack ?? ''}\n${error.cause instanceof Error ? `caused by ${error.cause.stack}\n` : ''}`);
  else if (!isInput && !(error instanceof PrewarmError)) stderr.write('prewarm: PREWARM_DEBUG=1 tells more\n');
  return error instanceof PrewarmError ? FAILURES[error.code].exitCode : EXIT.failed;
}
