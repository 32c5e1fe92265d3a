import { formatTimestamp } from '../clock.ts';
import { viewProgress } from './progress.ts';
import type { RequestRow } from '../request/request.ts';

/** What whoever asked for it is told of a request's end; fields as in `GET /prewarm`. */
export function viewEnd(row: RequestRow) {
  const {
    rate: _rate,
    eta_seconds: _eta,
    provisional_count: _count,
    provisional_bytes: _bytes,
    ...progress
  } = viewProgress(row, [], { available: 0, leased: 0 }, row.endedAt ?? row.updatedAt);
  const { in_progress_task_count: _leased, available_task_count: _available, timestamp: _now, ...figures } = progress;
  return { ...figures, ended_at: formatTimestamp(row.endedAt ?? row.updatedAt) };
}
