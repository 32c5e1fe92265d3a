import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CancellableScope } from '../../../core/ask-scope.ts';
import type { Header } from '../../../core/request/request.ts';
import { askFor, openDownloader, openEdge } from './downloader-fixture.ts';
import { answer } from './scripted-edge.ts';

const ok = (socket: Socket) => void socket.write(answer('hello'));

describe('where an ask goes', () => {
  test('the address decides the connection, the URL decides SNI and Host', async () => {
    const edge = await openEdge(ok);
    const downloader = openDownloader();
    const { error } = await downloader.ask(askFor(edge.address, { url: 'https://other.test/a%20b/c?x=1&y=%C3%A9' }));
    expect(error).toBeNull();
    expect(edge.requests[0]).toMatchObject({ line: 'GET /a%20b/c?x=1&y=%C3%A9 HTTP/1.1', servername: 'other.test' });
    expect(edge.requests[0]?.headers['host']).toBe('other.test');
  });

  test("a port in the URL stays in Host while the connection goes to the address's port", async () => {
    const edge = await openEdge(ok);
    const { error } = await openDownloader().ask(askFor(edge.address, { url: 'https://edge.test:9443/' }));
    expect(error).toBeNull();
    expect(edge.requests[0]?.headers['host']).toBe('edge.test:9443');
  });

  test('http URLs go unencrypted to the port for http', async () => {
    const edge = await openEdge(ok, null);
    const address = { ip: '127.0.0.1', port: 1, httpPort: edge.address.port };
    const got = await openDownloader().ask(askFor(address, { url: 'http://edge.test/plain' }));
    expect(got).toMatchObject({ error: null, status: 200, bodyBytes: 5 });
    expect(edge.requests[0]).toMatchObject({ line: 'GET /plain HTTP/1.1', servername: false });
  });

  test('a private address is refused without a connection unless it is allowed', async () => {
    const edge = await openEdge(ok);
    const got = await openDownloader({ allowPrivateAddresses: false }).ask(askFor(edge.address));
    expect(got).toMatchObject({ error: 'address_refused', status: 0, bodyBytes: 0 });
    expect(edge.open() + edge.connections).toBe(0);
  });
});

describe('what is sent', () => {
  test('a request carries nothing but host, connection, user-agent and accept on top of its own headers', async () => {
    const edge = await openEdge(ok);
    await openDownloader().ask(askFor(edge.address, { headers: [['X-Variant', 'a']] }));
    const { 'user-agent': agent, ...others } = edge.requests[0]?.headers ?? {};
    expect(agent).toMatch(/^cloudfront-prewarm\/\d+\.\d+\.\d+$/);
    expect(others).toEqual({ host: 'edge.test', connection: 'keep-alive', accept: '*/*', 'x-variant': 'a' });
  });

  test('a variant may replace user-agent and accept', async () => {
    const edge = await openEdge(ok);
    const headers: Header[] = [
      ['User-Agent', 'phone'],
      ['ACCEPT', 'image/webp'],
    ];
    await openDownloader().ask(askFor(edge.address, { headers }));
    expect(edge.requests[0]?.headers).toMatchObject({ 'user-agent': 'phone', accept: 'image/webp' });
  });

  test('one byte is asked for by Range, and the total comes from Content-Range', async () => {
    const totals: Readonly<Record<string, string>> = { 'bytes=7-7': 'bytes 7-7/1234', 'bytes=8-8': 'bytes 8-8/*' };
    const edge = await openEdge((socket, { headers }) => {
      socket.write(answer('x', { 'content-range': totals[headers['range'] ?? ''] ?? '' }, '206 Partial Content'));
    });
    const downloader = openDownloader();
    const headers: Header[] = [];
    expect(await downloader.ask(askFor(edge.address, { headers, byteAt: 7 }))).toMatchObject({
      status: 206,
      rangeTotal: 1234,
      bodyBytes: 1,
    });
    expect(await downloader.ask(askFor(edge.address, { headers, byteAt: 8 }))).toMatchObject({ status: 206, rangeTotal: -1 });
    await downloader.ask(askFor(edge.address, { headers }));
    expect(edge.requests[2]?.headers).not.toHaveProperty('range');
  });

  test('a header or path that could never be sent is an error of the caller, not of the edge', async () => {
    const edge = await openEdge(ok);
    const downloader = openDownloader();
    await expect(downloader.ask(askFor(edge.address, { headers: [['x', 'a\r\nb: c']] }))).rejects.toThrow('invalid x header');
    await expect(downloader.ask(askFor(edge.address, { url: 'https://edge.test/a b' }))).rejects.toThrow('invalid request path');
    expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: null });
    expect(edge.requests).toHaveLength(1);
  });
});

describe('what is told of an answer', () => {
  test('headers are told as received, repeated ones all of them, bytes beyond ASCII as Latin-1', async () => {
    const head = [
      'HTTP/1.1 103 Early Hints\r\nlink: </x.css>\r\nx-cache: not yet\r\n\r\nHTTP/1.1 404 Not Found',
      'X-Cache: Miss from cloudfront',
      'x-cache: Hit from \xe9t\xe9',
      'X-Amz-Cf-Pop: SIN2-P1',
      'ETag: W/"a,b"',
      'Content-Encoding: br',
      'Cache-Control: no-store',
      'X-Connection: reused',
      'Server-Timing: cdn-cache-miss',
      'server-timing: db;dur=2',
      'X-Amz-Cf-Id: an-id==',
      'Content-Length: 3',
    ].join('\r\n');
    const edge = await openEdge((socket) => void socket.write(`${head}\r\n\r\nabc`, 'latin1'));
    const downloader = openDownloader();
    const { ttfbMs, totalMs, tcpMs, tlsMs, ...rest } = await downloader.ask(askFor(edge.address));
    expect(rest).toEqual({
      error: null,
      status: 404,
      xCache: 'Miss from cloudfront, Hit from \xe9t\xe9',
      servedBy: 'SIN2-P1',
      etag: 'W/"a,b"',
      contentEncoding: 'br',
      cacheControl: 'no-store',
      contentLength: 3,
      rangeTotal: -1,
      bodyBytes: 3,
      xConnection: 'reused',
      serverTiming: 'cdn-cache-miss, db;dur=2',
      requestId: 'an-id==',
      cause: '',
      retryAfterMs: 0,
      unreached: false,
    });
    expect(tcpMs).toBeGreaterThan(0);
    expect(tlsMs).toBeGreaterThan(0);
    expect(await downloader.ask(askFor(edge.address))).toMatchObject({ tcpMs: -1, tlsMs: -1 });
    expect(ttfbMs).toBeGreaterThan(0);
    expect(totalMs).toBeGreaterThan(ttfbMs);
  });

  test('a redirect is not followed, a compressed body is not decompressed', async () => {
    const edge = await openEdge((socket) => {
      socket.write(answer('not gzip at all', { location: '/elsewhere', 'content-encoding': 'gzip' }, '302 Found'));
    });
    const got = await openDownloader().ask(askFor(edge.address));
    expect(got).toMatchObject({ error: null, status: 302, contentEncoding: 'gzip', bodyBytes: 15 });
    expect(edge.requests).toHaveLength(1);
  });

  test('answers that trickle in byte by byte over many connections are not mixed up', async () => {
    const edge = await openEdge(async (socket, { line }) => {
      const id = line.split(' ')[1]?.slice(1) ?? '';
      const body = id.repeat(40);
      const chunked = `HTTP/1.1 200 OK\r\nx-cache: ${id}\r\ntransfer-encoding: chunked\r\netag: "${id}"\r\n\r\n28\r\n${body.slice(0, 40)}\r\n28\r\n${body.slice(40)}\r\n0\r\nx-trailer-${id}: ${id}\r\n\r\n`;
      for (const byte of id.startsWith('0') ? answer(body, { 'x-cache': id, etag: `"${id}"` }) : chunked) {
        socket.write(byte);
        await new Promise(setImmediate);
      }
    });
    const downloader = openDownloader();
    const ids = Array.from({ length: 16 }, (_, at) => String(at).padStart(2, '0'));
    for (const round of [1, 2]) {
      const got = await Promise.all(ids.map((id) => downloader.ask(askFor(edge.address, { url: `https://edge.test/${id}` }))));
      expect(
        got.map(({ error, xCache, etag, bodyBytes }) => ({ error, xCache, etag, bodyBytes })),
        `round ${round}`,
      ).toEqual(ids.map((id) => ({ error: null, xCache: id, etag: `"${id}"`, bodyBytes: 80 })));
    }
    expect(edge.connections).toBe(16);
  });

  test.each(['https', 'http'])('every byte of large %s bodies is counted, in the scope while they come', async (scheme) => {
    const block = Buffer.alloc(1_000_003, 'z');
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const script = async (socket: Socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${block.length * 4}\r\n\r\n`);
      for (const at of [1, 2, 3, 4]) {
        socket.write(block);
        if (at === 2) await held;
      }
    };
    const edge = await openEdge(script, ...(scheme === 'http' ? [null] : []));
    const downloader = openDownloader();
    const scope = new CancellableScope();
    const asks = [1, 2, 3].map(() => downloader.ask(askFor(edge.address, { url: `${scheme}://edge.test/big`, scope })));
    await expect.poll(() => scope.bytes).toBe(block.length * 6);
    release();
    const got = await Promise.all(asks);
    expect(got.map(({ error, bodyBytes }) => ({ error, bodyBytes }))).toEqual(
      got.map(() => ({ error: null, bodyBytes: block.length * 4 })),
    );
    expect(scope.bytes).toBe(block.length * 12);
  });
});
