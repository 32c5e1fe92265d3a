import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { ask, hasEnded, KEY, objectUrls, openEdge, serve, submit, until } from './served.ts';

const WANTED = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };

const wantedOf = (headers: Headers) => Object.fromEntries(Object.keys(WANTED).map((name) => [name, headers.get(name)]));

test('every answer forbids caches to keep it, browsers to guess its type, and pages to pass on its address', async () => {
  const { flags } = await openEdge();
  const served = await serve(flags);
  const id = await submit(served, { url_list: [...objectUrls(1), 'https://d111111abcdef8.cloudfront.net/o/none'], pops: ['SIN2-P1'] });
  await until(served, id, hasEnded);
  const big = 'x'.repeat(5 * 1024 * 1024 + 1);
  const asked = [
    { path: `/prewarm?req_id=${id}`, status: 200 },
    { path: `/reports/${id}`, status: 200 },
    { path: '/healthz', key: null, status: 200 },
    { path: '/openapi.json', key: null, status: 200 },
    { path: '/metrics', status: 200 },
    { path: '/prewarm', status: 400 },
    { path: '/requests', key: 'wrong', status: 403 },
    { path: '/nowhere', status: 404 },
    { path: '/requests', method: 'PUT', status: 405 },
    { path: '/prewarm', body: { url_list: [big] }, status: 413 },
  ];
  for (const { path, status, ...options } of asked) {
    const answer = await ask(served, path, options);
    expect({ path, status: answer.status, ...wantedOf(answer.headers) }).toEqual({ path, status, ...WANTED });
  }
  const { hostname, port } = new URL(served.url);
  const socket = connect(Number(port), hostname);
  socket.end('no http\r\n\r\n');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  for (const [name, value] of Object.entries(WANTED)) expect(text.toLowerCase()).toContain(`\r\n${name}: ${value}\r\n`);
});

test('links to reports start with the public address, or with the Host header where none is set', async () => {
  const { flags } = await openEdge();
  const served = await serve([...flags, '--public-url', 'https://warm.example.com/base/']);
  const id = await submit(served, { url_list: ['https://d111111abcdef8.cloudfront.net/o/none'], pops: ['SIN2-P1'] });
  await until(served, id, hasEnded);
  const linkOf = async () => (await ask<{ failure_pop_urls_report: string }>(served, `/summary?req_id=${id}`)).body.failure_pop_urls_report;
  const link = new URL(await linkOf());
  expect(`${link.origin}${link.pathname}`).toBe(`https://warm.example.com/base/reports/${id}`);
  const shown = await fetch(`${served.url}/reports/${id}${link.search}`);
  expect(shown.status).toBe(200);
  expect((await shown.text()).trim().split('\n')).toHaveLength(2);
  expect((await fetch(`${served.url}/reports/${id}`, { headers: { 'x-api-key': KEY } })).status).toBe(200);
});
