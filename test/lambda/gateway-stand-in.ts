import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { onTestFinished } from 'vitest';

type Handler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

export interface GatewayOptions {
  readonly key: string;
  readonly keyId: string;
  readonly stage: string;
  /** Base path of a domain of one's own; absent: the gateway's own address, whose events have no stage in their path. */
  readonly basePath?: string;
}

const KEYLESS = new Set(['/healthz', '/openapi.json']);
const LIMIT_BYTES = 10 * 1024 * 1024;
const PAYLOAD_BYTES = 6 * 1024 * 1024;

const decode = (text: string) => Buffer.from(unescape(text), 'latin1').toString();

function groupQuery(search: string): Record<string, string[]> | null {
  const grouped: Record<string, string[]> = {};
  for (const pair of search.replace(/^\?/, '').split('&').filter(Boolean)) {
    const [name = '', value = ''] = pair.split('=').map(decode);
    grouped[name] = [...(grouped[name] ?? []), value];
  }
  return Object.keys(grouped).length === 0 ? null : grouped;
}

/** A REST API's proxy event, as API Gateway makes it: the body as text whatever its bytes, values of the query decoded. */
function eventOf(request: IncomingMessage, body: Buffer, options: GatewayOptions): APIGatewayProxyEvent {
  const url = new URL(request.url ?? '/', 'http://gateway');
  const below = url.pathname.slice(`/${options.basePath ?? options.stage}`.length);
  const resource = KEYLESS.has(below) && request.method === 'GET' ? below : '/{proxy+}';
  const multi: Record<string, string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) multi[name] = [value ?? ''].flat();
  const query = groupQuery(url.search);
  return {
    resource,
    path: options.basePath === undefined ? below : `/${options.basePath}${below}`,
    httpMethod: request.method ?? 'GET',
    headers: Object.fromEntries(Object.entries(multi).map(([name, values]) => [name, values.at(-1)])),
    multiValueHeaders: multi,
    queryStringParameters: query === null ? null : Object.fromEntries(Object.entries(query).map(([name, values]) => [name, values.at(-1)])),
    multiValueQueryStringParameters: query,
    pathParameters: resource === '/{proxy+}' ? { proxy: below.slice(1) } : null,
    stageVariables: null,
    body: body.length === 0 ? null : body.toString(),
    isBase64Encoded: false,
    requestContext: { stage: options.stage, identity: { apiKeyId: resource === '/{proxy+}' ? options.keyId : null } },
  } as unknown as APIGatewayProxyEvent;
}

async function answer(handler: Handler, request: IncomingMessage, response: ServerResponse, options: GatewayOptions): Promise<void> {
  const body = await buffer(request);
  const event = eventOf(request, body, options);
  const say = (status: number, message: string) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
  if (event.resource === '/{proxy+}' && request.headers['x-api-key'] !== options.key) return void say(403, 'Forbidden');
  if (body.length > LIMIT_BYTES || JSON.stringify(event).length > PAYLOAD_BYTES) return void say(413, 'Request Too Long');
  const result = await handler(event, {} as Context);
  if (Buffer.byteLength(JSON.stringify(result)) > PAYLOAD_BYTES) return void say(502, 'Internal server error');
  for (const [name, values] of Object.entries(result.multiValueHeaders ?? {})) response.setHeader(name, values.map(String));
  for (const [name, value] of Object.entries(result.headers ?? {})) response.setHeader(name, String(value));
  response.writeHead(result.statusCode).end(Buffer.from(result.body, result.isBase64Encoded ? 'base64' : 'utf8'));
}

/** What API Gateway does before and after a function. Returns the stage's base URL, without a slash at its end. */
export async function openGateway(handler: Handler, options: GatewayOptions): Promise<string> {
  const server = createServer((request, response) => {
    answer(handler, request, response, options).catch((error: unknown) => response.writeHead(502).end(String(error)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/${options.basePath ?? options.stage}`;
}
