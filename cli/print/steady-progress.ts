import type { Progress } from '../../core/report/progress.ts';
import { isEnded } from '../../core/request/request.ts';

/**
 * Makes a display that never goes back. Between the end of a task and its counting, its targets are in neither figure for a
 * moment, and those of an agent that died are done once more: the figures then stay where they were.
 */
export function createSteadyProgress(): (progress: Progress) => Progress {
  let bestCount = 0;
  let bestBytes = 0;
  return (progress) => {
    if (isEnded(progress.status)) return progress;
    const accounted = progress.download_count + progress.failed_count;
    bestCount = Math.max(bestCount, Math.min(progress.total_count, accounted + progress.provisional_count));
    bestBytes = Math.max(bestBytes, progress.download_size + progress.provisional_bytes);
    return {
      ...progress,
      provisional_count: Math.max(0, Math.min(progress.total_count, bestCount) - accounted),
      provisional_bytes: Math.max(0, bestBytes - progress.download_size),
    };
  };
}
