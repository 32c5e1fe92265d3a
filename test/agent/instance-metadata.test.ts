import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createInstanceMetadata } from '../../agent/instance-metadata.ts';

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Tokens are numbers; only the newest is good. */
function serveWithTokens(asked: string[]) {
  let token = 0;
  const endpoint = serve((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const lifetime = request.headers['x-aws-ec2-metadata-token-ttl-seconds'];
    if (request.method === 'PUT' && lifetime === '21600') {
      token += 1;
      response.end(String(token));
    } else if (request.headers['x-aws-ec2-metadata-token'] !== String(token)) response.writeHead(401).end();
    else if (request.url === '/latest/meta-data/instance-id') response.end('i-0123\n');
    else response.writeHead(404).end('<html>Not found</html>');
  });
  return { endpoint, forgetTokens: () => (token += 1) };
}

test('the metadata client asks for one token, and for another when that has expired', async () => {
  const asked: string[] = [];
  const { endpoint, forgetTokens } = serveWithTokens(asked);
  const metadata = createInstanceMetadata(await endpoint);
  expect(await metadata.instanceId()).toBe('i-0123');
  expect(await metadata.spotInstanceAction()).toBeNull();
  expect(asked).toEqual(['PUT /latest/api/token', 'GET /latest/meta-data/instance-id', 'GET /latest/meta-data/spot/instance-action']);
  forgetTokens();
  expect(await metadata.instanceId()).toBe('i-0123');
  expect(asked.slice(3).map((line) => line.slice(0, 3))).toEqual(['GET', 'PUT', 'GET']);
});

test('the metadata client gives null for missing data', async () => {
  const metadata = createInstanceMetadata(await serveWithTokens([]).endpoint);
  expect(await metadata.rebalanceRecommendation()).toBeNull();
  expect(await metadata.targetLifecycleState()).toBeNull();
});

test('the metadata client fails with the path where the service refuses, is silent, or is missing', async () => {
  const refusing = await serve((_, response) => response.writeHead(403).end());
  const silent = await serve(() => undefined);
  const gone = 'http://127.0.0.1:9';
  for (const endpoint of [refusing, silent, gone]) {
    const failure = { code: 'api_failed', message: expect.stringContaining('/latest/api/token') };
    await expect(createInstanceMetadata(endpoint).instanceId()).rejects.toMatchObject(failure);
  }
});
