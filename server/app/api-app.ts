import type { Context, MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ApiDeps } from './api-deps.ts';
import { type ApiApp, type ApiEnv, createOpenApiApp } from './open-api-app.ts';
import { addInstanceRoutes } from './instance-routes.ts';
import { addListRoutes } from './list-routes.ts';
import { createReadBody } from './read-body.ts';
import { addWarmRoutes, createReadProgress } from './warm-routes.ts';
import { addServiceRoutes } from './service-routes.ts';
import { addSummaryRoutes } from './summary-routes.ts';
import { InvalidInput, PrewarmError, tellFaults } from '../../core/errors.ts';
import { FAILURES } from '../../core/failures.ts';

export type { ApiApp } from './open-api-app.ts';

const METHODS: Readonly<Record<string, string>> = {
  '/prewarm': 'DELETE, GET, POST',
  '/instances': 'GET, POST',
  '/summary': 'GET',
  '/status': 'GET',
  '/requests': 'GET',
  '/reports/:req_id': 'GET',
  '/metrics': 'GET',
  '/healthz': 'GET',
  '/openapi.json': 'GET',
};
const KNOWN_METHODS = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT']);

const needsNoKey = (path: string) => path === '/healthz' || path === '/openapi.json' || path.startsWith('/reports/');

const READ_ONLY = 'Forbidden: this key may only ask (its role is read); use a key with the role full';

function requireKey({ keyOf }: ApiDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (!needsNoKey(c.req.path)) {
      const holder = keyOf(c.req.raw, c.env);
      // The gateway's own answer, the same for a missing and a wrong key.
      if (holder === null) return c.json({ message: 'Forbidden' }, 403);
      c.set('keyName', holder.name);
      if (holder.role === 'read' && c.req.method !== 'GET' && c.req.method !== 'HEAD') return c.json({ message: READ_ONLY }, 403);
    }
    return next();
  };
}

/** Path of the route, so that neither ids nor tokens get into logs and metrics. */
function routeOf(path: string): string {
  if (path.startsWith('/reports/')) return '/reports';
  return Object.hasOwn(METHODS, path) ? path : 'other';
}

/** What every answer says beside itself: caches and browsers are to keep nothing of it, guess no type, and tell nobody a link that needs no key. */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

function addAnswerHeaders(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) c.header(name, value);
    await next();
  };
}

function observe({ log, onRefused, metrics }: ApiDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const start = performance.now();
    await next();
    const ms = performance.now() - start;
    const route = routeOf(c.req.path);
    const method = KNOWN_METHODS.has(c.req.method) ? c.req.method : 'other';
    metrics?.observe(route, method, c.res.status, ms / 1000);
    if (onRefused !== undefined && c.get('keyName') === undefined && c.res.status >= 400 && c.res.status < 500) {
      const told = { method, route, status: c.res.status, ms: Math.round(ms * 10) / 10 };
      return onRefused({ ...told, request: c.req.raw, platform: c.env });
    }
    const fields = { method, route, status: c.res.status, ms: Math.round(ms * 10) / 10, key: c.get('keyName') };
    // Polling would drown everything else.
    if (method === 'GET' && c.res.status < 400) log.debug(fields, 'answered');
    else log.info(fields, 'answered');
  };
}

/**
 * The HTTP API as one app, for a server and for a function alike: `app.fetch(request)` answers. Needs nothing but its ports;
 * answers are JSON, but for reports (CSV) and metrics (text).
 */
export function createApiApp(deps: ApiDeps): ApiApp {
  const app = createOpenApiApp();
  app.use(addAnswerHeaders(), observe(deps), requireKey(deps));
  const readBody = createReadBody();
  addWarmRoutes(app, deps, readBody, createReadProgress(deps));
  addInstanceRoutes(app, deps, readBody);
  addListRoutes(app, deps);
  addSummaryRoutes(app, deps);
  addServiceRoutes(app, deps);
  for (const [path, methods] of Object.entries(METHODS)) {
    if (path === '/metrics' && deps.metrics === undefined) continue;
    app.all(path, (c) =>
      c.json(failureBody(`${c.req.method} is no method of ${c.req.path}; it takes ${methods}`), 405, { Allow: methods }),
    );
  }
  app.notFound((c) => c.json(failureBody(`${c.req.path.slice(0, 100)} is no path of this API; /openapi.json lists them`), 404));
  app.onError((error, c) => answerFailure(error, c, deps));
  return app;
}

/** The body of every failure but a key's. */
function failureBody(message: string, errorUrls: readonly string[] = []) {
  return { status: 'Failed' as const, error_message: message, error_urls: [...errorUrls] };
}

/** What a client is told of a failure inside: nothing of it. The log has the rest under the id. */
function insideFailure(status: number, id: string): string {
  const what = status === 503 ? 'the storage does not work; nothing was lost, try again later' : 'an unexpected error';
  return `${what} (the log of the server tells more under ${id})`;
}

/** Turns what a handler threw into its answer. What went wrong inside is logged, and told without its details. */
function answerFailure(error: Error, c: Context, { log, newId }: Pick<ApiDeps, 'log' | 'newId'>): Response {
  if (error instanceof InvalidInput) return c.json(failureBody(tellFaults(error.faults, error.omitted).join('; '), error.errorUrls), 400);
  if (error instanceof HTTPException && error.status < 500) return c.json(failureBody(error.message), error.status);
  const facts = error instanceof PrewarmError ? FAILURES[error.code] : null;
  if (facts?.isPublic === true) return c.json(failureBody(error.message), facts.status);
  const status = facts?.status ?? 500;
  const id = newId();
  const { meaning, remedy } = facts ?? {};
  log.error({ err: error, failure_id: id, path: c.req.path, method: c.req.method, meaning, remedy }, 'a request could not be answered');
  return c.json(failureBody(insideFailure(status, id)), status);
}
