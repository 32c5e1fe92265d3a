import { createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createUndiciDownloader } from '../../../adapters/http/undici-downloader.ts';
import { CancellableScope } from '../../../core/ask-scope.ts';
import { askFor, certificates, openDownloader, openEdge } from './downloader-fixture.ts';
import { answer, openScriptedEdge, type Script } from './scripted-edge.ts';
import { until } from '../../../testing/until.ts';

const SHORT = { connectTimeoutMs: 400, headersTimeoutMs: 400, stallTimeoutMs: 400 };
const HEAD = 'HTTP/1.1 200 OK\r\nx-cache: Miss from cloudfront\r\n';

/** A server that treats raw connections, before any TLS, as told. */
async function withRawServer<T>(onConnection: (socket: Socket) => void, use: (port: number) => Promise<T>): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const bound = server.address();
  try {
    return await use(typeof bound === 'object' && bound !== null ? bound.port : 0);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const at = (port: number) => ({ ip: '127.0.0.1', port, httpPort: port });

describe('connections that do not stand', () => {
  test('a refused connection is reported as `connection`', async () => {
    const port = await withRawServer(
      () => {},
      async (free) => free,
    );
    expect(await openDownloader(SHORT).ask(askFor(at(port)))).toMatchObject({ error: 'connection', status: 0, ttfbMs: -1 });
  });

  test('silence instead of a handshake is reported as `timeout`', async () => {
    await withRawServer(
      () => {},
      async (port) => {
        expect(await openDownloader(SHORT).ask(askFor(at(port)))).toMatchObject({ error: 'timeout', status: 0 });
      },
    );
  });

  test('cancelling closes a connection that is not yet established', async () => {
    let open = 0;
    const count = (socket: Socket) => {
      open++;
      socket.resume().on('close', () => open--);
    };
    await withRawServer(count, async (port) => {
      const scope = new CancellableScope();
      const asked = openDownloader({ connectTimeoutMs: 60_000 }).ask(askFor(at(port), { scope }));
      await until('one connection is open', () => open === 1);
      scope.cancel();
      expect(await asked).toMatchObject({ error: 'cancelled', status: 0 });
      await until('no connection is open', () => open === 0);
    });
  });

  test('a reset in the handshake is reported as `connection`', async () => {
    const reset = (socket: Socket) => void socket.once('data', () => socket.resetAndDestroy());
    await withRawServer(reset, async (port) => {
      expect(await openDownloader(SHORT).ask(askFor(at(port)))).toMatchObject({ error: 'connection' });
    });
  });

  test('an answer that is not TLS is reported as `tls`', async () => {
    await withRawServer(
      (socket) => void socket.write('220 mail.test ESMTP\r\n'),
      async (port) => {
        expect(await openDownloader(SHORT).ask(askFor(at(port)))).toMatchObject({ error: 'tls' });
      },
    );
  });

  test("a certificate for another name is reported as `tls`, also when the edge's session could be resumed", async () => {
    const edge = await openEdge((socket) => void socket.write(answer('')), certificates.wrongLeaf);
    const downloader = openDownloader(SHORT);
    for (const _ of [1, 2]) expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: 'tls' });
    expect(edge.requests).toHaveLength(0);
  });

  test('an unknown authority is reported as `tls`', async () => {
    const edge = await openEdge((socket) => void socket.write(answer('')));
    const downloader = createUndiciDownloader({ allowPrivateAddresses: true });
    expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: 'tls' });
    await downloader.close();
  });
});

describe('answers that do not come whole', () => {
  const cases: readonly (readonly [what: string, script: Script, error: string, status: number, bodyBytes: number])[] = [
    ['a reset before headers', (_socket, request) => request.reset(), 'connection', 0, 0],
    ['a close before headers', (socket) => void socket.end(), 'connection', 0, 0],
    ['a close after an interim answer', (socket) => void socket.end('HTTP/1.1 103 Early Hints\r\n\r\n'), 'connection', 0, 0],
    ['nonsense instead of headers', (socket) => void socket.write('SIP/2.0 200 OK\r\n\r\n'), 'protocol', 0, 0],
    ['silence before headers', () => {}, 'timeout', 0, 0],
    ['half of the headers, then silence', (socket) => void socket.write(HEAD), 'timeout', 0, 0],
    ['a body that stalls', (socket) => void socket.write(`${HEAD}content-length: 10\r\n\r\nabc`), 'timeout', 200, 3],
    [
      'a reset before Content-Length',
      async (socket, { reset }) => {
        socket.write(`${HEAD}content-length: 10\r\n\r\nabc`);
        await new Promise((resolve) => {
          setTimeout(resolve, 100);
        });
        reset();
      },
      'truncated',
      200,
      3,
    ],
    ['a close before Content-Length', (socket) => void socket.end(`${HEAD}content-length: 10\r\n\r\nabc`), 'truncated', 200, 3],
    [
      'a close before the last chunk',
      (socket) => void socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`),
      'truncated',
      200,
      3,
    ],
    ['a broken chunk', (socket) => void socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n`), 'protocol', 200, 3],
  ];
  test.concurrent.each(cases)('%s', async (_what, script, error, status, bodyBytes) => {
    const edge = await openScriptedEdge(certificates.leaf, script);
    const downloader = createUndiciDownloader({ ca: certificates.caPem, allowPrivateAddresses: true, ...SHORT });
    const scope = new CancellableScope();
    expect(await downloader.ask(askFor(edge.address, { scope }))).toMatchObject({ error, status, bodyBytes });
    expect(scope.bytes).toBe(bodyBytes);
    // No second try: that is the caller's business.
    expect(edge.requests).toHaveLength(1);
    await downloader.close();
    await edge.close();
  });

  test.each([
    ['a reset', true, 'truncated'],
    ['a close', false, null],
  ] as const)('an ending %s of a body without a length (a reset: %j) is reported as %j', async (_what, resets, error) => {
    const scope = new CancellableScope();
    const edge = await openEdge(async (socket, { reset }) => {
      socket.write(`${HEAD}connection: close\r\n\r\nabc`);
      await until('three bytes have come', () => scope.bytes === 3);
      if (resets) reset();
      else socket.end();
    });
    const got = await openDownloader(SHORT).ask(askFor(edge.address, { scope }));
    expect(got).toMatchObject({ error, status: 200, bodyBytes: 3 });
  });

  test('the total time-out ends a body that keeps coming', async () => {
    const edge = await openEdge((socket) => {
      socket.write(`${HEAD}content-length: 1000000\r\n\r\n`);
      const timer = setInterval(() => socket.write('.'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const got = await openDownloader({ totalTimeoutMs: 300 }).ask(askFor(edge.address));
    expect(got).toMatchObject({ error: 'timeout', status: 200 });
    expect(got.bodyBytes).toBeGreaterThan(0);
  });

  test('other asks go on while one address fails', async () => {
    const edge = await openEdge(async (socket, { line }) => {
      if (line.includes('/bad')) socket.destroy();
      else socket.write(answer('fine'));
    });
    const downloader = openDownloader(SHORT);
    const paths = Array.from({ length: 40 }, (_, n) => (n % 4 === 0 ? '/bad' : '/good'));
    const got = await Promise.all(paths.map((path) => downloader.ask(askFor(edge.address, { url: `https://edge.test${path}` }))));
    expect(got.map(({ error }) => error)).toEqual(paths.map((path) => (path === '/bad' ? 'connection' : null)));
  });
});

describe('stale connections', () => {
  /** Answers a connection's first request; what happens to its second is up to the test. */
  const secondRequest = (treat: Script): Script => {
    return (socket, request) => (request.onConnection === 1 ? void socket.write(answer('first')) : treat(socket, request));
  };

  test.each([
    ['closed', (socket) => void socket.end()],
    ['reset', (_socket, request) => request.reset()],
  ] satisfies [string, Script][])('a connection that is %s just as it is used again is no fault of the edge', async (_how, treat) => {
    const edge = await openEdge(secondRequest(treat));
    const downloader = openDownloader(SHORT);
    for (const _ of [1, 2, 3]) expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: null, bodyBytes: 5 });
    expect(edge).toMatchObject({ connections: 3 });
    expect(edge.requests).toHaveLength(5);
  });

  test('a reused connection that begins to answer and breaks off is a fault', async () => {
    const edge = await openEdge(secondRequest((socket) => void socket.end('HTTP/1.1 200 O')));
    const downloader = openDownloader(SHORT);
    await downloader.ask(askFor(edge.address));
    expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: 'connection', status: 0 });
    expect(edge.requests).toHaveLength(2);
  });

  test('an edge that closes the fresh connection too is at fault, after that one retry', async () => {
    const edge = await openEdge((socket, request) => {
      if (request.connection === 1 && request.onConnection === 1) socket.write(answer('first'));
      else socket.end();
    });
    const downloader = openDownloader(SHORT);
    await downloader.ask(askFor(edge.address));
    expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: 'connection' });
    expect(edge.requests).toHaveLength(3);
  });

  test('a connection that the edge closed while it was idle is not used again', async () => {
    const edge = await openEdge((socket) => void socket.end(answer('and out', { connection: 'close' })));
    const downloader = openDownloader(SHORT);
    for (const _ of [1, 2, 3]) expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: null, bodyBytes: 7 });
    expect(edge).toMatchObject({ connections: 3 });
    await until('the edge has no connection left', () => edge.open() === 0);
  });
});
