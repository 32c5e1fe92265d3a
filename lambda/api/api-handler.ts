import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { handle, type LambdaContext, type LambdaEvent } from 'hono/aws-lambda';
import type { ApiDeps } from '../../server/app/api-deps.ts';
import type { KeyHolder } from '../../server/app/api-keys.ts';
import { createApiApp } from '../../server/app/api-app.ts';
import type { Clock } from '../../core/clock.ts';
import type { Pipeline } from '../../core/pipeline/create-pipeline.ts';
import type { FunctionMetrics } from '../instrument.ts';
import type { PopResolver } from '../../core/ports/pop-resolver.ts';

/** Where the gateway does not say which key it was. */
const UNNAMED_KEY = 'api-key';
const INVALID_BYTE = 0xff;

/** What the gateway delivers beside a request. */
interface Platform {
  readonly requestContext?: { readonly identity?: { readonly apiKeyId?: string | null } };
}

/** The gateway has checked the key already, and says which one it was; a header would be the client's own word. */
function keyOf(_request: Request, platform: unknown): KeyHolder {
  return { name: (platform as Platform).requestContext?.identity?.apiKeyId || UNNAMED_KEY, role: 'full' };
}

/** The route below the stage and whatever base path a domain of one's own has. */
function routePath({ path, resource, pathParameters, requestContext }: APIGatewayProxyEvent): string {
  if (!resource.includes('{')) return resource;
  const proxied = `/${pathParameters?.['proxy'] ?? ''}`;
  const at = path.lastIndexOf(proxied);
  if (proxied !== '/' && at >= 0 && /^\/?$/.test(path.slice(at + proxied.length))) return path.slice(at);
  const stage = `/${requestContext.stage}`;
  return path.startsWith(`${stage}/`) ? path.slice(stage.length) : path;
}

/** The gateway reads bodies as UTF-8, and what is none as U+FFFD: the app is to see that it was none, and not warm some other URL. */
function restoreBody({ body, isBase64Encoded }: APIGatewayProxyEvent): Pick<APIGatewayProxyEvent, 'body' | 'isBase64Encoded'> {
  if (body === null || isBase64Encoded || !body.includes('\ufffd')) return { body, isBase64Encoded };
  const parts = body.split('\ufffd').flatMap((part, at) => (at === 0 ? [Buffer.from(part)] : [Buffer.of(INVALID_BYTE), Buffer.from(part)]));
  return { body: Buffer.concat(parts).toString('base64'), isBase64Encoded: true };
}

/** The HTTP API behind API Gateway's REST proxy. */
export function createApiHandler(deps: Omit<ApiDeps, 'keyOf'>) {
  const answer = handle(createApiApp({ ...deps, keyOf }));
  return async (event: APIGatewayProxyEvent, context: Context): Promise<APIGatewayProxyResult> => {
    const request = { ...event, ...restoreBody(event), path: routePath(event) };
    return (await answer(request as unknown as LambdaEvent, context as unknown as LambdaContext)) as APIGatewayProxyResult;
  };
}

/** Counts the requests that are made; one that is answered again for its idempotency key was made before. */
export function countAccepted<Steps extends Pick<Pipeline, 'accept'>>(
  pipeline: Steps,
  { metrics, clock }: { readonly metrics: Pick<FunctionMetrics, 'add'>; readonly clock: Pick<Clock, 'now'> },
): Steps {
  return {
    ...pipeline,
    async accept(request) {
      const askedAt = clock.now();
      const row = await pipeline.accept(request);
      if (row.createdAt >= askedAt) metrics.add('RequestsAccepted', 1);
      return row;
    },
  };
}

const OFF =
  'invalidating is off here; leave need_invalidate out, or set the parameter AllowedDomains of the stack to the name of the distribution (* for every one)';

/** Says why a distribution cannot be invalidated, before a request for it is made. CloudFront takes invalidations only from the account that owns the distribution. */
export function createInvalidationCheck(
  account: Pick<PopResolver, 'findDistribution'>,
  isAllowed: boolean,
): (domain: string | null) => Promise<string | null> {
  return async (domain) => {
    if (!isAllowed) return OFF;
    if (domain === null) return 'nothing tells which distribution is to be invalidated; pass cf_domain, or leave need_invalidate out';
    if ((await account.findDistribution(domain)) !== null) return null;
    return `${domain} is no distribution of this AWS account, which alone can invalidate it; invalidate it there, and leave need_invalidate out`;
  };
}
