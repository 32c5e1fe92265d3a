import { afterEach, expect, test } from 'vitest';
import { createEdgeInvalidations } from '../../../adapters/http/edge-invalidations.ts';
import { type AnswerServer, openAnswerServer } from '../../../testing/answer-server.ts';

let server: AnswerServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** An endpoint that answers by method: status and body. */
async function openEndpoint(answers: Readonly<Record<string, readonly [status: number, body: string]>>) {
  server = await openAnswerServer((request) => {
    const [status, body] = answers[request.split(' ')[0] ?? ''] ?? [500, ''];
    return { status, body };
  });
  return { endpoint: server.url, received: server.received };
}

test('the edge client creates an invalidation and asks for it until it is complete', async () => {
  const { endpoint, received } = await openEndpoint({
    POST: [201, '{"id":"I/1","status":"InProgress"}'],
    GET: [200, '{"id":"I/1","status":"Completed"}'],
  });
  const invalidations = createEdgeInvalidations(`${endpoint}/`);
  expect(await invalidations.create('ignored.cloudfront.net', 'ref-1', ['/a', '/b?x=1'])).toEqual({ id: 'I/1' });
  expect(await invalidations.isComplete(null, 'I/1')).toBe(true);
  expect(received).toEqual([
    { request: 'POST /invalidations', body: '{"callerReference":"ref-1","paths":["/a","/b?x=1"]}' },
    { request: 'GET /invalidations/I%2F1', body: '' },
  ]);
});

test('an invalidation in progress is not complete', async () => {
  const { endpoint } = await openEndpoint({ GET: [200, '{"id":"I1","status":"InProgress"}'] });
  expect(await createEdgeInvalidations(endpoint).isComplete(null, 'I1')).toBe(false);
});

test.each([
  [404, 'no such place', 'status 404: no such place'],
  [409, '{"message":"other paths"}', 'status 409'],
  [302, '', 'status 302'],
  [200, 'hello', 'not an invalidation: hello'],
  [200, '{"id":"I1","status":"Done"}', 'not an invalidation'],
  [200, '{"status":"Completed"}', 'not an invalidation'],
] as const)('an answer of %i %j is an error that names the endpoint', async (status, body, message) => {
  const { endpoint } = await openEndpoint({ POST: [status, body], GET: [status, body] });
  const invalidations = createEdgeInvalidations(endpoint);
  const error = { code: 'invalidation', message: expect.stringContaining(message) };
  await expect(invalidations.create(null, 'ref', ['/a'])).rejects.toMatchObject(error);
  await expect(invalidations.isComplete(null, 'I1')).rejects.toMatchObject({ ...error, message: expect.stringContaining(endpoint) });
});

test('an answer of 400 refuses the paths with its words', async () => {
  const { endpoint } = await openEndpoint({ POST: [400, '{"message":"a path starts with /"}'] });
  expect(await createEdgeInvalidations(endpoint).create(null, 'ref', ['a'])).toEqual({ refused: '{"message":"a path starts with /"}' });
});

test.each([429, 500, 503])('an answer of %i is passing trouble', async (status) => {
  const { endpoint } = await openEndpoint({ POST: [status, 'later'], GET: [status, 'later'] });
  const invalidations = createEdgeInvalidations(endpoint);
  const error = { code: 'invalidation_busy', message: expect.stringContaining(`status ${status}: later`) };
  await expect(invalidations.create(null, 'ref', ['/a'])).rejects.toMatchObject(error);
  await expect(invalidations.isComplete(null, 'I1')).rejects.toMatchObject(error);
});

test('an endpoint that nobody listens at is passing trouble, with its cause', async () => {
  const { endpoint } = await openEndpoint({});
  await server?.close();
  server = undefined;
  const failing = createEdgeInvalidations(endpoint).create(null, 'ref', ['/a']);
  await expect(failing).rejects.toMatchObject({ code: 'invalidation_busy', cause: expect.any(Error) });
});
