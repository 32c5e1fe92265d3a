import type { PopProgress, Progress } from '../../core/progress.ts';

const NOTHING: Progress = {
  request_id: '0b6a1a0e-6a0a-4d3f-9f0a-1f1f1f1f1f1f',
  status: 'IN_PROGRESS',
  status_reason: null,
  total_count: 0,
  download_count: 0,
  percentage_complete: 0,
  in_progress_task_count: 0,
  available_task_count: 0,
  download_size: 0,
  total_size: 0,
  warmed_count: 0,
  already_warm_count: 0,
  failed_count: 0,
  verified_count: 0,
  near_count: 0,
  edge_bytes: 0,
  provisional_count: 0,
  provisional_bytes: 0,
  rate: 0,
  eta_seconds: null,
  skipped_pops: [],
  created_at: '2026-01-01 00:00:00.000000',
  last_update_time: '2026-01-01 00:00:00.000000',
  timestamp: '2026-01-01 00:00:00.000000',
};

const NO_POP: PopProgress = {
  pop: 'SIN2-P1',
  state: 'resolved',
  addresses: ['192.0.2.1:443'],
  separate_caches: false,
  total_count: 0,
  download_count: 0,
  warmed_count: 0,
  already_warm_count: 0,
  failed_count: 0,
  failed_reasons: {},
  verified_count: 0,
  near_count: 0,
  download_size: 0,
  edge_bytes: 0,
  attempts: 0,
  ttfb_before_median_ms: null,
  ttfb_before_p95_ms: null,
  ttfb_after_median_ms: null,
  ttfb_after_p95_ms: null,
};

export const progressWith = (fields: Partial<Progress>): Progress => ({ ...NOTHING, ...fields });
export const popWith = (fields: Partial<PopProgress>): PopProgress => ({ ...NO_POP, ...fields });
