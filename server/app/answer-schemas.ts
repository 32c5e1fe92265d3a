import { z } from '@hono/zod-openapi';
import { REQUEST_STATUSES } from '../../core/request/request.ts';

const timestamp = z.string().openapi({ example: '2024-04-16 03:12:21.046535', description: 'UTC, YYYY-MM-DD HH:MM:SS.ffffff' });
const requestId = z.string().openapi({ example: '3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f', description: 'A UUID' });
const status = z.enum(REQUEST_STATUSES);
const name = z.string().nullable().openapi({ description: 'What its maker calls it', example: 'spring launch' });
const count = z.int().nonnegative();
const bytes = z.number().nonnegative();

const counts = {
  download_count: count.openapi({ description: 'Targets that are warm: warmed_count + already_warm_count' }),
  warmed_count: count.openapi({ description: 'Targets this request brought into the cache' }),
  already_warm_count: count,
  failed_count: count,
  verified_count: count.openapi({ description: 'Targets whose cache was seen to hold the whole object' }),
  near_count: count.openapi({ description: 'Targets answered by another POP of the same city' }),
  download_size: bytes.openapi({ description: "Bytes of the warm targets' objects, each counted once" }),
  edge_bytes: bytes.openapi({ description: 'Everything read from the edge, checks and retries included' }),
};

const milliseconds = (what: string) =>
  z
    .number()
    .nonnegative()
    .nullable()
    .openapi({ description: `${what}, milliseconds, to within 9 %; null: nothing was measured` });

const popProgressSchema = z
  .object({
    pop: z.string().openapi({ example: 'SIN2-P1' }),
    state: z.enum(['resolved', 'pop_unresolvable', 'address_refused']),
    addresses: z.array(z.string()).readonly(),
    separate_caches: z.boolean().openapi({ description: 'Its addresses were found to be caches of their own' }),
    total_count: count,
    ...counts,
    failed_reasons: z.record(z.string(), count).openapi({ description: 'Failed targets by reason', example: { status_404: 2 } }),
    attempts: count,
    ttfb_before_median_ms: milliseconds("First byte of each target's first ask: the median"),
    ttfb_before_p95_ms: milliseconds('Its 95th percentile'),
    ttfb_after_median_ms: milliseconds("First byte of each target's last hit: the median"),
    ttfb_after_p95_ms: milliseconds('Its 95th percentile'),
  })
  .openapi('PopProgress');

export const progressSchema = z
  .object({
    request_id: requestId,
    name,
    status,
    status_reason: z.string().nullable().openapi({
      description:
        'Why the status is what it is; while it runs, that it cannot be done before the timeout at the measured rate, or that no agent has taken a task',
    }),
    total_count: count.openapi({ description: 'Targets: URLs x POPs' }),
    percentage_complete: z
      .int()
      .min(0)
      .max(100)
      .openapi({ description: 'Never falls; 100 when every target was done or failed of itself' }),
    in_progress_task_count: count,
    available_task_count: count,
    total_size: bytes.openapi({ description: 'Bytes over all targets, as far as the lengths are known' }),
    ...counts,
    stopped_count: count.openapi({ description: 'Targets of failed_count that the end of the request came before' }),
    url_count: count.openapi({ description: 'URLs of the list' }),
    sized_count: count.openapi({ description: 'URLs whose size has been asked for, whatever the answer was' }),
    provisional_count: count.openapi({ description: 'Finished targets that are not accounted yet; may fall' }),
    provisional_bytes: bytes,
    rate: z.number().nonnegative().openapi({ description: 'Targets per second' }),
    eta_seconds: count.nullable(),
    skipped_pops: z
      .array(z.string())
      .readonly()
      .openapi({ description: 'POPs of regions, countries and defaults that do not resolve and were left out' }),
    chosen_pop_count: count.openapi({ description: 'POPs that were asked for, those of skipped_pops included' }),
    lost_places: z
      .array(z.string())
      .readonly()
      .openapi({ description: 'Regions and countries that were named and of which no POP is left' }),
    created_at: timestamp,
    last_update_time: timestamp,
    timestamp,
    pops: z.array(popProgressSchema).readonly().optional().openapi({ description: 'With detail=pops' }),
  })
  .openapi('Progress');

export const acceptedSchema = z
  .object({
    status: z.literal('Success'),
    error_message: z.literal(''),
    error_urls: z.array(z.string()).openapi({ description: 'Empty' }),
    request_id: requestId,
    requestID: requestId.openapi({ description: 'The same as request_id, for older clients' }),
    timestamp,
    timeout_at: timestamp.nullable(),
  })
  .openapi('Accepted');

export const failureSchema = z
  .object({
    status: z.literal('Failed'),
    error_message: z.string().openapi({ description: 'Names the field, the value and what to write instead' }),
    error_urls: z
      .array(z.string())
      .openapi({ description: 'URLs of the request that are wrong, as they were given: the first 1,000, and at most 500,000 characters' }),
  })
  .openapi('Failure');

export const messageSchema = z.object({ message: z.string().openapi({ example: 'Forbidden' }) }).openapi('Message');

const capacity = { status: z.literal('success'), timestamp, message: z.literal('query success'), desiredcapacity: count };

export const instancesSchema = z.object(capacity).openapi('Instances');

const agentSchema = z
  .object({
    agent_id: z.string().openapi({ description: 'The instance or process that it runs on', example: 'i-0123456789abcdef0' }),
    instance_id: z.string().nullable().openapi({ description: 'Null: a process on the machine of the server' }),
    state: z.enum(['idle', 'working', 'leaving']),
    type: z.string().nullable().openapi({ example: 'm6g.large' }),
    zone: z.string().nullable().openapi({ example: 'us-east-1a' }),
    since: timestamp.nullable().openapi({ description: 'When it was launched; null: Auto Scaling does not tell any more' }),
    in_flight: count.openapi({ description: 'Asks in flight' }),
    targets_per_second: z.number().nonnegative(),
    mb_per_second: z.number().nonnegative().openapi({ description: "Megabytes of the warm targets' objects" }),
    last_heartbeat: timestamp.nullable().openapi({ description: 'When it last told of its work; null: it has none' }),
  })
  .openapi('Agent');

export const instancesDetailSchema = z
  .object({
    ...capacity,
    maximum: count.openapi({ description: 'Most agents that there may be' }),
    in_service: count.openapi({ description: 'Agents that are up. On one machine one is kept ready although none is wanted' }),
    pending: count.openapi({ description: 'Instances that are coming up' }),
    warm_pool: z.object({ size: count, ready: count }).nullable().openapi({ description: 'Null: there is none' }),
    on_demand: count.openapi({ description: 'Agents of desiredcapacity that are asked for on demand' }),
    claims: z
      .object({
        operator: z.object({ agents: count, lapses_at: timestamp }).nullable().openapi({ description: 'Null: there is no claim' }),
        requests: z.array(z.object({ request_id: requestId, agents: count })).openapi({ description: 'Of the active requests' }),
      })
      .openapi({ description: 'Whose claims desiredcapacity is the sum of, up to the maximum' }),
    last_failed_activity: z
      .object({ at: timestamp, message: z.string() })
      .nullable()
      .openapi({ description: 'What last kept an instance from coming; null: nothing did lately' }),
    agents: z.array(agentSchema).openapi({ description: 'Those on their way out included' }),
  })
  .openapi('InstancesDetail');

export const instancesChangedSchema = z
  .object({
    status: z.literal('success'),
    timestamp,
    message: z.string().openapi({ example: 'Auto Scaling Group prewarm_asg_prod updated to Desired Capacity: 1' }),
  })
  .openapi('InstancesChanged');

export const summarySchema = z
  .object({
    request_id: requestId,
    name,
    failure_pops: z.array(z.string()).max(1000),
    failure_urls: z.array(z.string()).max(1000),
    failure_pop_urls_report: z
      .string()
      .openapi({ description: 'A link to the failed rows of the report as CSV; it needs no key and ends after an hour' }),
    by_reason: z.record(z.string(), count).openapi({ description: 'Failed targets by reason', example: { status_404: 2 } }),
    timestamp,
    created_at: timestamp,
    last_update_time: timestamp,
    status,
  })
  .openapi('Summary');

const urls = z.array(z.string()).max(1000);

export const urlStatusSchema = z
  .object({
    status: z.enum(['COMPLETED', 'IN_PROGRESS', 'TIMEOUT', 'FAILED']),
    total: count.openapi({ description: 'URLs' }),
    completed: count.openapi({ description: 'URLs that every POP has' }),
    inProgress: count,
    failedUrl: urls,
    inProgressUrl: urls,
    successUrl: urls.optional().openapi({ description: 'Only where the server is set to show them' }),
  })
  .openapi('UrlStatus');

const requestSummarySchema = z
  .object({
    request_id: requestId,
    status,
    status_reason: z.string().nullable(),
    name,
    made_by: z.string().nullable().openapi({ description: 'Name of the API key that made it' }),
    cf_domain: z.string().nullable(),
    url_count: count,
    pop_count: count,
    total_count: count,
    download_count: count,
    failed_count: count,
    stopped_count: count.openapi({ description: 'Targets of failed_count that the end of the request came before' }),
    percentage_complete: z.int().min(0).max(100),
    instance_count: count,
    created_at: timestamp,
    last_update_time: timestamp,
    timeout_at: timestamp.nullable(),
  })
  .openapi('RequestSummary');

export const requestListSchema = z
  .object({
    requests: z.array(requestSummarySchema).openapi({ description: 'Newest first' }),
    next: z.string().nullable().openapi({ description: 'Pass it as `after` for the next page; null: this was the last' }),
    timestamp,
  })
  .openapi('RequestList');

export const healthSchema = z.object({ status: z.literal('ok'), version: z.string() }).openapi('Health');
