import { createRoute, z } from '@hono/zod-openapi';
import { formatTimestamp } from '../../core/clock.ts';
import { count } from '../../core/work/counters.ts';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { viewUrlStatus } from '../../core/report/view-url-status.ts';
import type { ListPosition, RequestPage } from '../../core/ports/request-store.ts';
import { percentage, viewCounters } from '../../core/report/progress.ts';
import type { RequestStatus, RequestSummary } from '../../core/request/request.ts';
import { requestListSchema, urlStatusSchema } from './answer-schemas.ts';
import { type ApiApp, failures, keyed, ok, queryOf } from './open-api-app.ts';
import { type ApiDeps, findRequest, mayKnow } from './api-deps.ts';
import { createRecent } from './remember.ts';

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

function summarise(request: RequestSummary) {
  return {
    request_id: request.id,
    status: request.status,
    status_reason: request.statusReason,
    name: request.name,
    made_by: request.madeBy,
    cf_domain: request.domain,
    url_count: request.urlCount,
    pop_count: request.popCount,
    total_count: request.totalCount,
    download_count: viewCounters(request.counters).download_count,
    failed_count: count(request.counters, 'failed'),
    stopped_count: count(request.counters, 'reason.stopped'),
    percentage_complete: percentage(request),
    instance_count: request.agents,
    created_at: formatTimestamp(request.createdAt),
    last_update_time: formatTimestamp(request.updatedAt),
    timeout_at: request.timeoutAt === null ? null : formatTimestamp(request.timeoutAt),
  };
}

/** A position as `next` names it: when a request was made, in milliseconds, and its id. A key of DynamoDB could not be of any length. */
const POSITION = /^(\d{1,15})\/([\w-]{1,64})$/;
const formatPosition = ({ createdAt, id }: ListPosition) => `${createdAt}/${id}`;

/** Reads what `formatPosition` wrote. An empty text is the first page. */
function parsePosition(after: string): ListPosition | undefined {
  if (after === '') return undefined;
  const [, createdAt, id] = POSITION.exec(after) ?? [];
  if (id !== undefined) return { createdAt: Number(createdAt), id };
  throw new InvalidInput([inputFault('after', after, 'is no page of the list; pass what the page before answered as next')]);
}

/** The next page that holds a request which the key may know of; clients take an empty page for the end. */
async function readOwnPage(deps: ApiDeps, limit: number, after: ListPosition | undefined, keyName: string): Promise<RequestPage> {
  let page = await deps.store.list(limit, after);
  for (;;) {
    const requests = page.requests.filter((row) => mayKnow(deps, row, keyName));
    if (requests.length > 0 || page.next === null) return { ...page, requests };
    page = await deps.store.list(limit, page.next);
  }
}

export function addListRoutes(app: ApiApp, deps: ApiDeps): void {
  const urlStatus = createRecent(deps.clock, (row) => viewUrlStatus(deps, row));

  app.openapi(listRoute, async (c) => {
    const { limit = PAGE, after = '' } = c.req.valid('query');
    const page = await readOwnPage(deps, limit, parsePosition(after), c.get('keyName'));
    const next = page.next === null ? null : formatPosition(page.next);
    return c.json({ requests: page.requests.map(summarise), next, timestamp: formatTimestamp(deps.clock.now()) }, 200);
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
