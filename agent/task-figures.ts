import { PrewarmError } from '../core/errors.ts';
import type { AgentObserver, TaskEnd } from '../core/work/agent.ts';
import type { AgentLog } from './agent-log.ts';

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
