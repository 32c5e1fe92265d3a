import { createRoute, z } from '@hono/zod-openapi';
import { formatTimestamp } from '../../core/clock.ts';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { summariseFailures } from '../../core/report/summarise-failures.ts';
import { reasonsOf } from '../../core/report/progress.ts';
import { isEnded } from '../../core/request/request.ts';
import { messageSchema, summarySchema } from './answer-schemas.ts';
import { type ApiApp, failures, keyed, ok, queryOf } from './open-api-app.ts';
import { type ApiDeps, findRequest } from './api-deps.ts';
import { createRecent } from './remember.ts';
import { failedRowsOnly, toByteStream } from './report-rows.ts';

const summaryRoute = createRoute({
  method: 'get',
  path: '/summary',
  operationId: 'getSummary',
  summary: 'What failed',
  tags: ['reports'],
  request: { query: queryOf({ req_id: z.string('is missing; pass the request_id that POST /prewarm answered') }) },
  responses: { ...ok(summarySchema, 'Distinct POPs and URLs that failed, at most 1,000 each'), ...failures(400, 404, 409), ...keyed },
});

const reportRoute = createRoute({
  method: 'get',
  path: '/reports/{req_id}',
  operationId: 'getReport',
  summary: 'The report as CSV, by the link that /summary answers or with a key',
  description:
    'One row per target. A link shows the failed rows, and needs no key. With a key instead of expires and token there are all rows, or with outcome=failed the failed ones.',
  tags: ['reports'],
  security: [{}, { ApiKey: [] }],
  request: {
    params: z.object({ req_id: z.string() }),
    query: queryOf({
      expires: z.string().optional().openapi({ description: 'Seconds since the epoch' }),
      token: z.string().optional(),
      outcome: z.enum(['failed'], 'takes only the value failed; leave it out for all rows').optional(),
    }),
  },
  responses: {
    200: { description: 'The report', content: { 'text/csv': { schema: z.string() } } },
    403: { description: 'The link or the key is wrong, or the link has ended', content: { 'application/json': { schema: messageSchema } } },
    ...failures(400, 404, 409),
    503: keyed[503],
  },
});

const EXPIRED = 'This link has ended; GET /summary answers a new one';

interface PresentedLink {
  readonly expires: string | undefined;
  readonly token: string | undefined;
  readonly outcome: string | undefined;
}

const LINK_REMEDY = 'is missing; take the link from /summary as it is';

/** What is wrong with a link's token; null: nothing. Throws InvalidInput for half a link. */
function linkFault({ reportLinks }: ApiDeps, id: string, { expires, token, outcome = '' }: PresentedLink): 'wrong' | 'expired' | null {
  if (expires === undefined || token === undefined)
    throw new InvalidInput([inputFault(expires === undefined ? 'expires' : 'token', '', LINK_REMEDY)]);
  return reportLinks.check(id, { expires, token, outcome });
}

export function addSummaryRoutes(app: ApiApp, deps: ApiDeps): void {
  const summaryOf = createRecent(deps.clock, async (row) => (await deps.keptSummary?.(row.id)) ?? summariseFailures(deps, row));

  app.openapi(summaryRoute, async (c) => {
    const row = await findRequest(deps, c.req.valid('query').req_id, 'req_id', c.get('keyName'));
    if (!isEnded(row.status)) {
      throw new PrewarmError(
        'conflict',
        `req_id: request ${row.id} is ${row.status}; ask again when it has ended, or end it with DELETE /prewarm`,
      );
    }
    const failed = await summaryOf(row);
    return c.json(
      {
        request_id: row.id,
        name: row.spec.name ?? null,
        failure_pops: [...failed.pops],
        failure_urls: [...failed.urls],
        failure_pop_urls_report: await deps.reportLinks.linkTo(row.id, deps.publicUrl ?? new URL(c.req.url).origin),
        by_reason: reasonsOf(row.counters),
        timestamp: formatTimestamp(deps.clock.now()),
        created_at: formatTimestamp(row.createdAt),
        last_update_time: formatTimestamp(row.updatedAt),
        status: row.status,
      },
      200,
    );
  });

  app.openapi(reportRoute, async (c) => {
    const { req_id: id } = c.req.valid('param');
    const { outcome, ...link } = c.req.valid('query');
    const hasLink = link.expires !== undefined || link.token !== undefined;
    const holder = hasLink ? null : deps.keyOf(c.req.raw, c.env);
    const fault = hasLink ? linkFault(deps, id, { expires: link.expires, token: link.token, outcome }) : holder === null ? 'wrong' : null;
    if (fault !== null) return c.json({ message: fault === 'expired' ? EXPIRED : 'Forbidden' }, 403);
    const row = await findRequest(deps, id, 'req_id', holder?.name ?? null);
    if (!deps.reportLinks.servesReports)
      throw new PrewarmError('not_found', `req_id: the report of ${row.id} is not given here; take the link that GET /summary answers`);
    if (!isEnded(row.status)) throw new PrewarmError('conflict', `request ${row.id} has not ended yet`);
    const report = deps.pipeline.report(row.id, outcome);
    return c.body(toByteStream(outcome === 'failed' ? failedRowsOnly(report) : report), 200, {
      'Content-Type': 'text/csv; charset=utf-8',
      'Content-Disposition': `attachment; filename="${row.id}.csv"`,
    });
  });
}
