import type { Clock } from '../../../core/clock.ts';
import { viewProgress } from '../../../core/report/progress.ts';
import type { RequestStore } from '../../../core/ports/request-store.ts';
import type { Journal } from './journal.ts';

const NO_QUEUE = { available: 0, leased: 0 };

/** What changes a request. */
export type Change = 'transition' | 'fixPlan' | 'putTask' | 'countTasks' | 'end' | 'putProvisional';

/** Looks at a request's progress after every change of it, as somebody who polls all the time would, and tells of the change. */
export function createProgressWatch(
  journal: Journal,
  onChange: (id: string, change: Change) => void,
): (store: RequestStore, clock: Clock) => RequestStore {
  const reached = new Map<string, number>();

  async function look(store: RequestStore, clock: Clock, id: string): Promise<void> {
    const row = await store.get(id);
    if (row === null) return;
    const progress = viewProgress(row, await store.listProvisional(id), NO_QUEUE, clock.now());
    const { percentage_complete: percentage, failed_count: failed, total_count: total } = progress;
    const done = progress.download_count + failed;
    if (percentage < (reached.get(id) ?? 0)) journal.violated(`percentage_complete of ${id} fell from ${reached.get(id)} to ${percentage}`);
    reached.set(id, percentage);
    if (percentage < 0 || percentage > 100) journal.violated(`percentage_complete of ${id} is ${percentage}`);
    if (row.status === 'FINISHED' && percentage !== 100) journal.violated(`${id} is FINISHED at ${percentage} %`);
    if (done > total) journal.violated(`${id} has ${done} of ${total} targets`);
    if (progress.provisional_count < 0 || progress.provisional_bytes < 0) journal.violated(`provisional figures of ${id} are negative`);
    if (progress.provisional_count + done > total) journal.violated(`${id} shows more targets done than it has`);
  }

  return (store, clock) => {
    const changed = async (id: string, change: Change) => {
      await look(store, clock, id);
      onChange(id, change);
    };
    const watched =
      <Args extends readonly unknown[], T>(change: Change, method: (id: string, ...args: Args) => Promise<T>) =>
      async (id: string, ...args: Args) => {
        const result = await method(id, ...args);
        await changed(id, change);
        return result;
      };
    const watchedRow =
      <Row extends { readonly requestId: string }, T>(change: Change, method: (row: Row) => Promise<T>) =>
      async (row: Row) => {
        const result = await method(row);
        await changed(row.requestId, change);
        return result;
      };
    return {
      ...store,
      transition: watched('transition', store.transition.bind(store)),
      fixPlan: watched('fixPlan', store.fixPlan.bind(store)),
      countTasks: watched('countTasks', store.countTasks.bind(store)),
      end: watched('end', store.end.bind(store)),
      putTask: watchedRow('putTask', store.putTask.bind(store)),
      putProvisional: watchedRow('putProvisional', store.putProvisional.bind(store)),
    };
  };
}
