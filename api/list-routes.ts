import { createRoute, z } from '@hono/zod-openapi';
import { formatTimestamp } from '../core/clock.ts';
import { InvalidInput, PrewarmError } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import { viewUrlStatus } from '../core/pipeline/view-url-status.ts';
import type { RequestPage } from '../core/ports/request-store.ts';
import { viewProgress } from '../core/progress.ts';
import type { RequestRow, RequestStatus } from '../core/request.ts';
import type { ApiDeps } from './api-deps.ts';
import type { ApiApp } from './api-env.ts';
import { requestListSchema, urlStatusSchema } from './answer-schemas.ts';
import { failures, keyed, ok } from './answers.ts';
import { findRequest, mayKnow } from './find-request.ts';
import { queryOf } from './query.ts';
import { createRecent } from './recent.ts';

const PAGE = 50;
const MAX_PAGE = 500;
const PAGE_RANGE = `takes a whole number from 1 to ${MAX_PAGE}`;

const listRoute = createRoute({
  method: 'get',
  path: '/requests',
  operationId: 'listRequests',
  summary: 'All requests, newest first',
  tags: ['requests'],
  request: {
    query: queryOf({
      limit: z
        .string()
        .regex(/^\d{1,4}$/, PAGE_RANGE)
        .transform(Number)
        .pipe(z.int(PAGE_RANGE).min(1, PAGE_RANGE).max(MAX_PAGE, PAGE_RANGE))
        .optional()
        .openapi({ type: 'integer', minimum: 1, maximum: MAX_PAGE, default: PAGE }),
      after: z.string().optional().openapi({ description: 'What the page before answered as next' }),
    }),
  },
  responses: { ...ok(requestListSchema, 'One page'), ...failures(400), ...keyed },
});

const statusRoute = createRoute({
  method: 'get',
  path: '/status',
  operationId: 'getUrlStatus',
  summary: 'How far a request is, by URL (older clients)',
  tags: ['requests'],
  request: {
    query: queryOf({ requestID: z.string('is missing; pass the request_id that POST /prewarm answered') }),
  },
  responses: { ...ok(urlStatusSchema, 'Its URLs'), ...failures(400, 404), ...keyed },
});

/** The four statuses that older clients know. */
function olderStatus(status: RequestStatus): 'COMPLETED' | 'IN_PROGRESS' | 'TIMEOUT' | 'FAILED' {
  if (status === 'FINISHED') return 'COMPLETED';
  if (status === 'TIMEOUT') return status;
  return status === 'STOPPED' || status === 'FAILED' ? 'FAILED' : 'IN_PROGRESS';
}

function summarise(row: RequestRow, now: number) {
  const progress = viewProgress(row, [], { available: 0, leased: 0 }, now);
  const { total_count, download_count, failed_count, percentage_complete, created_at, last_update_time } = progress;
  return {
    request_id: row.id,
    status: row.status,
    status_reason: row.statusReason,
    made_by: row.madeBy,
    cf_domain: row.spec.domain,
    url_count: row.urlCount,
    pop_count: row.plan?.pops.length ?? row.spec.pops.length,
    total_count,
    download_count,
    failed_count,
    percentage_complete,
    instance_count: row.spec.agents,
    created_at,
    last_update_time,
    timeout_at: row.timeoutAt === null ? null : formatTimestamp(row.timeoutAt),
  };
}

/** An empty `after` is the first page. */
async function readPage({ store }: Pick<ApiDeps, 'store'>, limit: number, after: string | undefined): Promise<RequestPage> {
  try {
    return await store.list(limit, after === '' ? undefined : after);
  } catch (cause) {
    if (!(cause instanceof PrewarmError) || cause.code !== 'invalid_input') throw cause;
    throw new InvalidInput([inputFault('after', after, 'is no page of the list; pass what the page before answered as next')]);
  }
}

/** The next page that holds a request which the key may know of; clients take an empty page for the end. */
async function readOwnPage(deps: ApiDeps, limit: number, after: string | undefined, keyName: string): Promise<RequestPage> {
  let page = await readPage(deps, limit, after);
  for (;;) {
    const requests = page.requests.filter((row) => mayKnow(deps, row, keyName));
    if (requests.length > 0 || page.next === null) return { ...page, requests };
    page = await readPage(deps, limit, page.next);
  }
}

export function addListRoutes(app: ApiApp, deps: ApiDeps): void {
  const urlStatus = createRecent(deps.clock, (row) => viewUrlStatus(deps, row));

  app.openapi(listRoute, async (c) => {
    const { limit = PAGE, after } = c.req.valid('query');
    const page = await readOwnPage(deps, limit, after, c.get('keyName'));
    const now = deps.clock.now();
    const requests = page.requests.map((row) => summarise(row, now));
    return c.json({ requests, next: page.next, timestamp: formatTimestamp(now) }, 200);
  });

  app.openapi(statusRoute, async (c) => {
    const row = await findRequest(deps, c.req.valid('query').requestID, 'requestID', c.get('keyName'));
    const view = await urlStatus(row);
    return c.json(
      {
        status: olderStatus(row.status),
        total: view.total,
        completed: view.completed,
        inProgress: view.inProgress,
        failedUrl: [...view.failedUrls],
        inProgressUrl: [...view.inProgressUrls],
        ...(deps.showSuccessUrls ? { successUrl: [...view.completedUrls] } : {}),
      },
      200,
    );
  });
}
