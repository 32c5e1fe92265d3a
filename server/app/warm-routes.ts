import { hash } from 'node:crypto';
import { createRoute, z } from '@hono/zod-openapi';
import { type AskedDomain, domainFault } from '../../core/request/allowed-domains.ts';
import { formatTimestamp } from '../../core/clock.ts';
import { domainQuestion } from '../../core/request/domain-question.ts';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { findDomain } from '../../core/request/find-domain.ts';
import { inputFault } from '../../core/input-fault.ts';
import { checkInvalidationPaths } from '../../core/request/invalidation-path.ts';
import { parseBodyInSteps, requestBodySchema } from '../../core/request/request-body.ts';
import { checkTargets, type RequestInput, settleRequest } from '../../core/request/request-input.ts';
import { isEnded, type RequestRow } from '../../core/request/request.ts';
import { acceptedSchema, progressSchema } from './answer-schemas.ts';
import { type ApiApp, failures, keyed, ok, queryOf } from './open-api-app.ts';
import { type ApiDeps, findRequest } from './api-deps.ts';
import type { ReadBody } from './read-body.ts';
import { describeFleet, describeWait } from '../../core/report/nobody-came.ts';
import type { Fleet, FleetState } from '../../core/ports/fleet.ts';
import type { QueueCounts } from '../../core/ports/queue.ts';
import { type PopProgress, type Progress, viewPops, viewProgress } from '../../core/report/progress.ts';
import { remember } from './remember.ts';

const IDEMPOTENCY_HEADER = 'Idempotency-Key';
const KEY_LASTS_MS = 24 * 60 * 60_000;
const KEY = /^[\u0021-\u007e]{1,255}$/;

/**
 * The id of the request that is to be made: a new one, or that of the first request under the same key. Throws PrewarmError
 * `conflict` where that one had another body.
 */
async function requestIdFor(
  { store, clock, newId }: Pick<ApiDeps, 'store' | 'clock' | 'newId'>,
  client: { readonly name: string; readonly idempotencyKey: string | null },
  body: unknown,
): Promise<string> {
  const requestId = newId();
  if (client.idempotencyKey === null) return requestId;
  if (!KEY.test(client.idempotencyKey)) {
    throw new InvalidInput([
      inputFault(IDEMPOTENCY_HEADER, client.idempotencyKey, 'write 1 to 255 printable ASCII characters without blanks'),
    ]);
  }
  const now = clock.now();
  const fingerprint = hash('sha256', canonicalJson(body), 'hex');
  const own = { key: `${client.name}/${client.idempotencyKey}`, fingerprint, requestId, lapsesAt: now + KEY_LASTS_MS };
  const claim = await store.claimIdempotencyKey(own, now);
  if (claim.fingerprint !== fingerprint) {
    throw new PrewarmError(
      'conflict',
      `${IDEMPOTENCY_HEADER}: belongs to request ${claim.requestId}, which had another body; use a new key for a new request`,
    );
  }
  return claim.requestId;
}

/** The same text for the same JSON, whatever the order of its names. Depth is bounded by the parser. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Counting a long queue takes milliseconds, and clients poll. */
const QUEUE_COUNTS_LAST_MS = 500;
/** Auto Scaling takes few calls a second of an account. */
const FLEET_STATE_LASTS_MS = 60_000;
const NOTHING_QUEUED: QueueCounts = { available: 0, leased: 0 };

type ReadingDeps = Pick<ApiDeps, 'store' | 'tasks' | 'clock' | 'log' | 'nobodyAfterMs'> & { readonly fleet: Pick<Fleet, 'describe'> };

type ReadProgress = (row: RequestRow, withPops: boolean) => Promise<Progress & { pops?: readonly PopProgress[] }>;

/** Progress as `GET /prewarm` shows it, computed from rows at each call. */
export function createReadProgress(deps: ReadingDeps): ReadProgress {
  const { store, tasks, clock, nobodyAfterMs } = deps;
  const countQueue = remember(clock, QUEUE_COUNTS_LAST_MS, () => tasks.counts());
  const readFleet = remember(clock, FLEET_STATE_LASTS_MS, () => readFleetState(deps));

  /** What keeps a running request from being done that its own figures do not tell; null: nothing is known to. */
  async function explain(row: RequestRow, wait: string | null): Promise<string | null> {
    // A younger request has no agents yet because they are on their way.
    const isYoung = clock.now() - row.createdAt < nobodyAfterMs;
    const state = isYoung ? null : await readFleet();
    const why = state === null ? null : describeFleet(state, row.createdAt);
    if (wait !== null) return why === null ? wait : `${wait}; ${why}`;
    return state !== null && state.onDemand > 0 ? why : null;
  }

  return async (row, withPops) => {
    const ended = isEnded(row.status);
    const [provisional, queue] = ended ? [[], NOTHING_QUEUED] : await Promise.all([store.listProvisional(row.id), countQueue()]);
    const now = clock.now();
    let progress = viewProgress(row, provisional, queue, now);
    if (!ended && progress.status_reason === null) {
      const wait = describeWait(row, { provisional, queue }, nobodyAfterMs, now);
      progress = { ...progress, status_reason: await explain(row, wait) };
    }
    return withPops ? { ...progress, pops: viewPops(row, await store.listPops(row.id)) } : progress;
  };
}

/** Null: the fleet cannot tell, or cannot be asked now. The progress is shown without it. */
async function readFleetState({ fleet, log }: ReadingDeps): Promise<FleetState | null> {
  if (fleet.describe === undefined) return null;
  try {
    return await fleet.describe();
  } catch (error) {
    log.error({ err: error }, 'what keeps instances from coming could not be read');
    return null;
  }
}

const byRequestId = {
  req_id: z
    .string('is missing; pass the request_id that POST /prewarm answered')
    .openapi({ example: '3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f' }),
};

const BODY_EXAMPLE = {
  url_list: ['https://www.example.com/index.html', 'https://www.example.com/images/demo.png'],
  cf_domain: 'd111111abcdef8.cloudfront.net',
  target_type: 'region',
  regions: ['apac', 'eu'],
  header: ['Accept-Encoding: gzip, br'],
  timeout: 30,
  instance_count: 1,
};

const requestId = '$response.body#/request_id';
const LINKS = {
  progress: { operationId: 'getProgress', parameters: { req_id: requestId } },
  cancel: { operationId: 'cancelRequest', parameters: { req_id: requestId } },
  summary: { operationId: 'getSummary', parameters: { req_id: requestId } },
  status: { operationId: 'getUrlStatus', parameters: { requestID: requestId } },
};

// Made anew here: the core's own may have been made before schemas got `openapi`, as in a bundle whose pieces are loaded in another order.
const bodySchema = z.object(requestBodySchema.shape).openapi('RequestBody');

const submitRoute = createRoute({
  method: 'post',
  path: '/prewarm',
  operationId: 'submitRequest',
  summary: 'Warm a list of URLs',
  description:
    'Every URL is downloaded through every chosen POP. Without target_type the one list of places that is given counts; with it, its own list, then region. Unknown fields are ignored. At most 1,000 POPs.',
  tags: ['requests'],
  request: {
    headers: z.object({
      'Idempotency-Key': z.string().optional().openapi({
        description: 'The same key and body answer the same request again, for 24 hours',
        example: 'launch-2024-04-16',
      }),
    }),
    body: { required: true, content: { 'application/json': { schema: bodySchema, example: BODY_EXAMPLE } } },
  },
  responses: { 200: { ...ok(acceptedSchema, 'The request was made')[200], links: LINKS }, ...failures(400, 409, 413), ...keyed },
});

const progressRoute = createRoute({
  method: 'get',
  path: '/prewarm',
  operationId: 'getProgress',
  summary: 'How far a request is',
  tags: ['requests'],
  request: {
    query: queryOf({
      ...byRequestId,
      detail: z
        .enum(['pops'], 'takes only the value pops; leave it out, or pass detail=pops')
        .optional()
        .openapi({ description: 'One row per POP too' }),
    }),
  },
  responses: { ...ok(progressSchema, 'Its progress'), ...failures(400, 404), ...keyed },
});

const cancelRoute = createRoute({
  method: 'delete',
  path: '/prewarm',
  operationId: 'cancelRequest',
  summary: 'End a request as STOPPED',
  description: 'One that has ended already stays as it is.',
  tags: ['requests'],
  request: { query: queryOf(byRequestId) },
  responses: { ...ok(progressSchema, 'What it had reached'), ...failures(400, 404), ...keyed },
});

/** The distribution's own name, or the domain as given where no distribution is needed. */
async function domainOf({ domains }: ApiDeps, input: RequestInput): Promise<string | null> {
  if (domains === null) {
    const question = domainQuestion(input.domain, input.hosts);
    return question.kind === 'known' ? question.domain : input.domain;
  }
  try {
    return await findDomain(domains, { given: input.domain, hosts: input.hosts, field: 'cf_domain' });
  } catch (cause) {
    if (!(cause instanceof PrewarmError) || cause.code !== 'dns') throw cause;
    const message = "the DNS server did not tell the distribution; pass the distribution's own name, as in d111111abcdef8.cloudfront.net";
    throw new InvalidInput([inputFault('cf_domain', input.domain ?? '', message)]);
  }
}

async function refuseForeignDomain({ allowedDomains = [], domains }: ApiDeps, asked: AskedDomain): Promise<void> {
  const find = async (host: string) => {
    try {
      return (await domains?.findDistribution(host)) ?? null;
    } catch (cause) {
      // A name that cannot be looked up belongs to nothing that is allowed.
      if (cause instanceof PrewarmError && cause.code === 'dns') return null;
      throw cause;
    }
  };
  const fault = await domainFault(allowedDomains, asked, find);
  if (fault !== null) throw new InvalidInput([inputFault('cf_domain', fault.name, fault.message)]);
}

async function refuseInvalidation(deps: ApiDeps, domain: string | null, urls: readonly string[]): Promise<void> {
  const fault = await deps.invalidationFault(domain);
  if (fault !== null) throw new InvalidInput([inputFault('need_invalidate', true, fault)]);
  const maximum = deps.maxInvalidationPaths;
  if (urls.length <= maximum) return;
  const raise = 'the parameter MaxInvalidationPaths of the stack, or serve --max-invalidation-paths';
  await checkInvalidationPaths(urls, { maximum, field: 'need_invalidate', value: true, raise });
}

function tellAccepted({ log }: ApiDeps, { id, spec, urlCount, madeBy }: RequestRow): void {
  const name = spec.name === undefined ? {} : { name: spec.name };
  const fields = { request_id: id, ...name, key: madeBy, cf_domain: spec.domain, url_count: urlCount, pop_count: spec.pops.length };
  log.info(fields, 'request accepted');
}

export function addWarmRoutes(app: ApiApp, deps: ApiDeps, readBody: ReadBody, readProgress: ReadProgress): void {
  // Documented apart from being routed: the generated validators would refuse what old scripts send, which is JSON under a
  // form type, and odd values in fields that are not read.
  app.openAPIRegistry.registerPath(submitRoute);
  app.openapi({ ...submitRoute, request: {}, hide: true }, async (c) => {
    const { body, value: input } = await readBody(c.req.raw, (given) => parseBodyInSteps(given, deps.catalogue));
    const spec = settleRequest(input, await domainOf(deps, input), deps.catalogue);
    await refuseForeignDomain(deps, { domain: spec.domain, hosts: input.hosts });
    checkTargets(spec, input.urls.length, { maximum: deps.maxTargets, field: 'url_list' });
    if (spec.invalidate) await refuseInvalidation(deps, spec.domain, input.urls);
    const madeBy = c.get('keyName');
    const idempotencyKey = c.req.header(IDEMPOTENCY_HEADER) ?? null;
    const id = await requestIdFor(deps, { name: madeBy, idempotencyKey }, body);
    const isNew = idempotencyKey === null || (await deps.store.get(id)) === null;
    const row = await deps.pipeline.accept({ id, spec, urls: input.urls, madeBy });
    if (isNew) tellAccepted(deps, row);
    return c.json(
      {
        status: 'Success' as const,
        error_message: '' as const,
        error_urls: [],
        request_id: row.id,
        requestID: row.id,
        timestamp: formatTimestamp(row.createdAt),
        timeout_at: row.timeoutAt === null ? null : formatTimestamp(row.timeoutAt),
      },
      200,
    );
  });

  app.openapi(progressRoute, async (c) => {
    const { req_id: id, detail } = c.req.valid('query');
    return c.json(await readProgress(await findRequest(deps, id, 'req_id', c.get('keyName')), detail === 'pops'), 200);
  });

  app.openapi(cancelRoute, async (c) => {
    const row = await findRequest(deps, c.req.valid('query').req_id, 'req_id', c.get('keyName'));
    const ended = await deps.pipeline.end(row.id, 'STOPPED', `cancelled by ${c.get('keyName')}`);
    return c.json(await readProgress(ended ?? row, false), 200);
  });
}
