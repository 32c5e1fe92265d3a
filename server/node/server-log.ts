import pino from 'pino';
import type { Log } from '../../core/ports/log.ts';
import { plainJsonText, plainLines, plainText } from '../../core/plain-text.ts';

/** What is not written yet beyond this is dropped, bytes: a log that nobody reads must not stop the service. */
const MAX_UNWRITTEN = 4 * 1024 * 1024;
const STDERR = 2;

/** One log line for people: time, level, message, then the fields. */
export function formatLogLine(line: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const at = new Date(String(time)).toISOString().slice(11, 23);
  // An agent's output and what edges send are among the fields: they must neither look like a line of the log nor steer a terminal.
  const told = (value: unknown) => plainText(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
  const pairs = Object.entries(fields).map(([name, value]) => ` ${told(name)}=${told(value)}`);
  const stack =
    typeof err === 'object' && err !== null && 'stack' in err ? plainLines(`\n${String(err.stack)}`).replaceAll('\n', '\n    ') : '';
  return `${at} ${String(level).padEnd(5)} ${plainText(String(msg))}${pairs.join('')}${stack}\n`;
}

export interface ServerLog {
  readonly log: Log;
  /** Writes what is left. */
  flush(): void;
}

/** Structured log on standard error: JSON lines, or lines for people at a terminal. Written beside the work, never waited for. */
export function createServerLog(options: { readonly isTTY: boolean; readonly debug: boolean }): ServerLog {
  const destination = pino.destination({ fd: STDERR, sync: false, maxLength: MAX_UNWRITTEN });
  const settings = {
    base: null,
    level: options.debug ? 'debug' : 'info',
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  const format = options.isTTY ? formatLogLine : plainJsonText;
  return { log: pino(settings, { write: (line) => destination.write(format(line)) }), flush: () => destination.flushSync() };
}
