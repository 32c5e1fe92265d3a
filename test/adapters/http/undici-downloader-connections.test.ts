import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CancellableScope } from '../../../core/ask-scope.ts';
import { askFor, certificates, openDownloader, openEdge } from './downloader-fixture.ts';
import { answer, type Script } from './scripted-edge.ts';
import { until } from '../../../testing/until.ts';

const ok: Script = (socket, { line }) =>
  void socket.write(line.startsWith('HEAD') ? answer('', { 'content-length': '5' }) : answer('hello'));
const never: Script = () => {};

describe('reuse', () => {
  test('consecutive asks share a connection, HEADs included', async () => {
    const edge = await openEdge(ok);
    const downloader = openDownloader();
    for (let n = 0; n < 10; n++) {
      const got = await downloader.ask(askFor(edge.address, { method: 'HEAD' }));
      expect(got).toMatchObject({ error: null, contentLength: 5, bodyBytes: 0 });
      expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: null, bodyBytes: 5 });
    }
    expect(edge.connections).toBe(1);
    expect(edge.requests).toHaveLength(20);
  });

  test('a second connection resumes the TLS session of the first, and hosts never share one', async () => {
    const edge = await openEdge((socket) => void socket.end(answer('bye', { connection: 'close' })));
    const downloader = openDownloader();
    for (const host of ['edge.test', 'edge.test', 'other.test']) await downloader.ask(askFor(edge.address, { url: `https://${host}/` }));
    expect(edge.requests.map(({ resumed }) => resumed)).toEqual([false, true, false]);
  });

  test('asks beyond the limit per address wait for a free connection', async () => {
    const edge = await openEdge(ok);
    const downloader = openDownloader({ maxConnectionsPerAddress: 2 });
    const got = await Promise.all(Array.from({ length: 9 }, () => downloader.ask(askFor(edge.address))));
    expect(got.every(({ error }) => error === null)).toBe(true);
    expect(edge.connections).toBe(2);
  });

  test('waiting asks get the place of a connection that failed', async () => {
    const edge = await openEdge((socket, { line }) => void (line.includes('bad') ? socket.destroy() : socket.write(answer('hello'))));
    const downloader = openDownloader({ maxConnectionsPerAddress: 1 });
    const urls = ['bad', 'good', 'bad', 'good'].map((name) => `https://edge.test/${name}`);
    const got = await Promise.all(urls.map((url) => downloader.ask(askFor(edge.address, { url }))));
    expect(got.map(({ error }) => error)).toEqual(['connection', null, 'connection', null]);
  });

  test('the downloader closes more idle connections than allowed, the longest idle first', async () => {
    const edge = await openEdge(ok);
    const other = await openEdge(ok);
    const downloader = openDownloader({ maxIdleConnections: 2 });
    await Promise.all([1, 2, 3, 4].map(() => downloader.ask(askFor(edge.address))));
    await until('the edge has two connections', () => edge.open() === 2);
    await Promise.all([1, 2].map(() => downloader.ask(askFor(other.address))));
    await until('the edge has no connection left', () => edge.open() === 0);
    expect(other.open()).toBe(2);
    expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: null });
  });
});

describe('cancelling', () => {
  test('cancelling ends asks that download, wait for headers, connect or queue, at once, and closes their connections', async () => {
    const slow = await openEdge((socket, { line }) => {
      if (line.includes('body')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc');
    });
    const downloader = openDownloader({ maxConnectionsPerAddress: 2 });
    const scope = new CancellableScope();
    const ask = (path: string) => downloader.ask(askFor(slow.address, { url: `https://edge.test/${path}`, scope }));
    const asks = [ask('body'), ask('silence'), ask('queued')];
    await until('three bytes and a second request have come', () => scope.bytes === 3 && slow.requests.length === 2);
    const connecting = downloader.ask(askFor(slow.address, { url: 'https://other.test/', scope }));
    scope.cancel();
    const got = await Promise.all([...asks, connecting]);
    expect(got.map(({ error, status, bodyBytes }) => ({ error, status, bodyBytes }))).toEqual([
      { error: 'cancelled', status: 200, bodyBytes: 3 },
      { error: 'cancelled', status: 0, bodyBytes: 0 },
      { error: 'cancelled', status: 0, bodyBytes: 0 },
      { error: 'cancelled', status: 0, bodyBytes: 0 },
    ]);
    await until('the slow edge has no connection left', () => slow.open() === 0);
    expect(slow.requests).toHaveLength(2);
  });

  test('cancelling leaves asks of other scopes alone, and nothing is sent for a cancelled scope', async () => {
    const edge = await openEdge(ok);
    const downloader = openDownloader({ maxConnectionsPerAddress: 1 });
    const cancelled = new CancellableScope();
    const asks = [askFor(edge.address), askFor(edge.address, { scope: cancelled }), askFor(edge.address)].map((ask) => downloader.ask(ask));
    cancelled.cancel();
    expect((await Promise.all(asks)).map(({ error }) => error)).toEqual([null, 'cancelled', null]);
    expect(await downloader.ask(askFor(edge.address, { scope: cancelled }))).toMatchObject({ error: 'cancelled' });
    expect(edge.requests).toHaveLength(2);
  });
});

describe('closing', () => {
  test('closing cancels the asks under way, closes every socket and sends nothing more', async () => {
    const edge = await openEdge(never);
    const downloader = openDownloader({ maxConnectionsPerAddress: 2 });
    const asks = [1, 2, 3].map(() => downloader.ask(askFor(edge.address)));
    await until('two requests have come', () => edge.requests.length === 2);
    await downloader.close();
    expect((await Promise.all(asks)).map(({ error }) => error)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    expect(await downloader.ask(askFor(edge.address))).toMatchObject({ error: 'cancelled' });
    await until('the edge has no connection left', () => edge.open() === 0);
    expect(edge.requests).toHaveLength(2);
  });

  test.each(['await downloader.close();', ''])('a process ends by itself after its asks (%j)', async (last) => {
    const edge = await openEdge(ok);
    const program = `
      import { createUndiciDownloader } from ${JSON.stringify(new URL('../../../adapters/http/undici-downloader.ts', import.meta.url).href)};
      import { CancellableScope } from ${JSON.stringify(new URL('../../../core/ask-scope.ts', import.meta.url).href)};
      const downloader = createUndiciDownloader({ ca: ${JSON.stringify(certificates.caPem)}, allowPrivateAddresses: true });
      const address = ${JSON.stringify(edge.address)};
      const ask = { method: 'GET', url: 'https://edge.test/', address, headers: [], scope: new CancellableScope() };
      const got = await downloader.ask(ask);
      console.log(got.error, got.bodyBytes);
      ${last}`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 12_000 });
    expect(stdout.trim()).toBe('null 5');
  });
});
