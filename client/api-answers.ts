import { z } from 'zod';
import type { PopProgress, Progress } from '../core/report/progress.ts';
import { REQUEST_STATUSES } from '../core/request/request.ts';

// What the API answers, as far as it is used here. Fields beyond these are kept: a newer server may send more.

/** The id of a request. People paste commands that hold one, so none of its characters means anything to a shell. */
export const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;
const requestId = z.string().regex(REQUEST_ID);
const status = z.enum(REQUEST_STATUSES);
const count = z.number().nonnegative();
const milliseconds = z.number().nullable();

const counts = {
  total_count: count,
  download_count: count,
  warmed_count: count,
  already_warm_count: count,
  failed_count: count,
  verified_count: count,
  near_count: count,
  download_size: count,
  edge_bytes: count,
};

/** A server of an earlier version does not tell it. */
const newer = count.default(0);

const popProgress = z.looseObject({
  pop: z.string(),
  state: z.enum(['resolved', 'pop_unresolvable', 'address_refused']),
  addresses: z.array(z.string()),
  separate_caches: z.boolean(),
  ...counts,
  failed_reasons: z.record(z.string(), count),
  attempts: count,
  ttfb_before_median_ms: milliseconds,
  ttfb_before_p95_ms: milliseconds,
  ttfb_after_median_ms: milliseconds,
  ttfb_after_p95_ms: milliseconds,
});

/** `GET /prewarm`; `pops` only with `detail=pops`. */
export const progressAnswer = z.looseObject({
  request_id: requestId,
  status,
  status_reason: z.string().nullable(),
  ...counts,
  stopped_count: newer,
  url_count: newer,
  sized_count: newer,
  percentage_complete: z.number(),
  in_progress_task_count: count,
  available_task_count: count,
  total_size: count,
  provisional_count: count,
  provisional_bytes: count,
  rate: count,
  eta_seconds: count.nullable(),
  skipped_pops: z.array(z.string()),
  // Servers of earlier versions do not tell these.
  name: z.string().nullable().default(null),
  chosen_pop_count: count.default(0),
  lost_places: z.array(z.string()).default([]),
  created_at: z.string(),
  last_update_time: z.string(),
  timestamp: z.string(),
  pops: z.array(popProgress).optional(),
});

export type ProgressAnswer = Progress & { readonly pops?: readonly PopProgress[] | undefined };

export const acceptedAnswer = z.looseObject({ request_id: requestId, timeout_at: z.string().nullable() });

export const summaryAnswer = z.looseObject({
  request_id: requestId,
  status,
  failure_pops: z.array(z.string()),
  failure_urls: z.array(z.string()),
  failure_pop_urls_report: z.string(),
  by_reason: z.record(z.string(), count).default({}),
  name: z.string().nullable().default(null),
});

/** A server of an earlier version tells the first only. */
export const instancesAnswer = z.looseObject({
  desiredcapacity: count,
  in_service: count.optional(),
  pending: count.optional(),
  maximum: count.optional(),
  on_demand: count.optional(),
  last_failed_activity: z.looseObject({ at: z.string(), message: z.string() }).nullable().optional(),
});

export const instancesChangedAnswer = z.looseObject({ message: z.string() });

const listedRequest = z.looseObject({
  request_id: requestId,
  status,
  made_by: z.string().nullable(),
  name: z.string().nullable().default(null),
  url_count: count,
  pop_count: count,
  total_count: count,
  failed_count: count,
  stopped_count: newer,
  percentage_complete: z.number(),
  created_at: z.string(),
});

export type ListedRequest = z.output<typeof listedRequest>;

export const requestsAnswer = z.looseObject({ requests: z.array(listedRequest), next: z.string().nullable() });
