import { PrewarmError } from '../core/errors.ts';

export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

/** One JSON object a line. Says what happened by an `event` in snake_case; never headers, nor what follows a URL's `?`. */
export interface AgentLog {
  info(event: string, fields?: LogFields): void;
  warn(event: string, error: unknown, fields?: LogFields): void;
  /** With the stack. */
  error(event: string, error: unknown): void;
}

const MAX_CAUSES = 5;
const MAX_TEXT = 2000;

const withoutQueries = (text: string) => text.replace(/(https?:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/g, '$1?...').slice(0, MAX_TEXT);

/** `code: message` of an error and of each of its causes. */
function describe(error: unknown): string[] {
  const causes: string[] = [];
  let at = error;
  while (at instanceof Error && causes.length < MAX_CAUSES) {
    causes.push(withoutQueries(`${at instanceof PrewarmError ? at.code : at.name}: ${at.message}`));
    at = at.cause;
  }
  return causes.length > 0 ? causes : [withoutQueries(JSON.stringify(error) ?? typeof error)];
}

/** `write` gets whole lines; `always` is in each of them. */
export function createAgentLog(write: (line: string) => void, always: LogFields = {}): AgentLog {
  const put = (level: string, event: string, fields: Readonly<Record<string, unknown>>) =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...always, ...fields })}\n`);
  return {
    info: (event, fields = {}) => put('info', event, fields),
    warn: (event, error, fields = {}) => put('warn', event, { ...fields, error: describe(error) }),
    error: (event, error) => {
      const stack = error instanceof Error && error.stack !== undefined ? { stack: withoutQueries(error.stack) } : {};
      put('error', event, { error: describe(error), ...stack });
    },
  };
}
