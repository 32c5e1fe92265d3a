import { createRoute, z } from '@hono/zod-openapi';
import { healthSchema } from './answer-schemas.ts';
import { type ApiApp, keyed, ok } from './open-api-app.ts';
import type { ApiDeps } from './api-deps.ts';

const healthRoute = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'getHealth',
  summary: 'Whether the API and its storage work',
  tags: ['service'],
  security: [],
  responses: { ...ok(healthSchema, 'They do'), 503: keyed[503] },
});

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  summary: 'Figures for Prometheus',
  tags: ['service'],
  responses: { 200: { description: 'Text format 0.0.4', content: { 'text/plain': { schema: z.string() } } }, ...keyed },
});

const documentRoute = createRoute({
  method: 'get',
  path: '/openapi.json',
  operationId: 'getOpenApi',
  summary: 'This document',
  tags: ['service'],
  security: [],
  responses: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: z.looseObject({ openapi: z.string() }) } } } },
});

export function addServiceRoutes(app: ApiApp, deps: ApiDeps): void {
  app.openapi(healthRoute, async (c) => {
    await deps.store.getOperatorClaim();
    return c.json({ status: 'ok' as const, version: deps.version }, 200);
  });

  const { metrics } = deps;
  if (metrics !== undefined) {
    app.openapi(metricsRoute, async (c) =>
      c.text(await metrics.render(), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }),
    );
  }

  let text: string | null = null;
  app.openAPIRegistry.registerPath(documentRoute);
  app.get(documentRoute.path, (c) => {
    // The routes are all there by the first call.
    text ??= JSON.stringify(documentOf(app, deps.version), null, 2);
    return c.body(text, 200, { 'Content-Type': 'application/json' });
  });
}

function documentOf(app: ApiApp, version: string) {
  app.openAPIRegistry.registerComponent('securitySchemes', 'ApiKey', { type: 'apiKey', in: 'header', name: 'x-api-key' });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'cloudfront-prewarm',
      version,
      description:
        'Downloads lists of URLs through chosen CloudFront POPs, and proves that each now answers from its cache. A missing or wrong key is 403, an unknown path 404, a wrong method 405; each with JSON.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    // Relative to the document, which may lie below a base path.
    servers: [{ url: '.' }],
    security: [{ ApiKey: [] }],
    tags: [
      { name: 'requests', description: 'Lists of URLs, and how far they are' },
      { name: 'instances', description: 'The agents that download' },
      { name: 'reports', description: 'What came of each target' },
      { name: 'service', description: 'The server itself' },
    ],
  });
}
