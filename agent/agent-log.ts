import { PrewarmError } from '../core/errors.ts';
import type { Log, LogFields } from '../core/ports/log.ts';
import type { AgentObserver, TaskEnd } from '../core/work/agent.ts';

export type AgentLog = Pick<Log, 'info' | 'warn' | 'error'>;

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

/** An error stands in the line with its causes, at level `error` with its stack. */
function describeError(fields: LogFields, level: keyof AgentLog): LogFields {
  if (!('err' in fields)) return fields;
  const { err, ...others } = fields;
  const stack = level === 'error' && err instanceof Error && err.stack !== undefined ? { stack: withoutQueries(err.stack) } : {};
  return { ...others, error: describe(err), ...stack };
}

/** Writes one JSON object a line, whose `event` is the message: a name in snake_case. `write` gets whole lines; `always` is in each. */
export function createAgentLog(write: (line: string) => void, always: LogFields = {}): AgentLog {
  const put = (level: keyof AgentLog) => (fields: LogFields, event: string) => {
    const line = { time: new Date().toISOString(), level, event, ...always, ...describeError(fields, level) };
    write(`${JSON.stringify(line)}\n`);
  };
  return { info: put('info'), warn: put('warn'), error: put('error') };
}

const kindOf = (error: unknown) => (error instanceof PrewarmError ? error.code : error instanceof Error ? error.name : typeof error);

/**
 * Counts what an agent does. `report` logs the counts if there are any. The first refusal of each kind between two such lines is logged
 * at once, with its cause; the others are counted.
 */
export function createTaskFigures(log: AgentLog): AgentObserver & { report(): void } {
  const ends = new Map<TaskEnd, number>();
  const refusals = new Map<string, number>();
  let held = 0;
  let targets = 0;

  return {
    held(tasks) {
      held = tasks;
    },
    ended(how, finished) {
      ends.set(how, (ends.get(how) ?? 0) + 1);
      if (how === 'recorded') targets += finished;
    },
    refused(error) {
      const kind = kindOf(error);
      const count = (refusals.get(kind) ?? 0) + 1;
      refusals.set(kind, count);
      if (count === 1) log.warn({ err: error }, 'refused');
    },
    report() {
      if (ends.size === 0 && refusals.size === 0 && held === 0) return;
      let refused = 0;
      for (const count of refusals.values()) refused += count;
      const rssMb = Math.round(process.memoryUsage.rss() / 2 ** 20);
      log.info({ ...Object.fromEntries(ends), targets, held, refused, rss_mb: rssMb }, 'tasks');
      ends.clear();
      refusals.clear();
      targets = 0;
    },
  };
}
