import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createTimedExchange } from '../../../adapters/http/timed-exchange.ts';

/** Answers with the layer that CloudFront would name, to those who ask for it. */
async function openEdge() {
  const pragmas: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    pragmas.push(request.headers.pragma);
    if (request.headers.pragma === 'server-timing') response.setHeader('server-timing', ['cdn-cache-hit', 'cdn-hit-layer;desc="REC"']);
    response.end('x');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { pragmas, address: { ip: '127.0.0.1', port, httpPort: port }, close: () => server.close() };
}

test('a timed request asks for Server-Timing unless its headers name a Pragma, and gives all lines of it', async ({ onTestFinished }) => {
  const edge = await openEdge();
  const exchange = createTimedExchange({ reuse: false, timeoutMs: 5000 });
  onTestFinished(() => {
    exchange.close();
    edge.close();
  });
  const ask = (headers: readonly (readonly [string, string])[]) =>
    exchange.ask('http://www.example.com/', edge.address, headers, new AbortController().signal);
  expect((await ask([])).serverTiming).toBe('cdn-cache-hit, cdn-hit-layer;desc="REC"');
  expect((await ask([['Pragma', 'no-cache']])).serverTiming).toBe('');
  expect(edge.pragmas).toEqual(['server-timing', 'no-cache']);
});
