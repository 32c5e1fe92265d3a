import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import UndiciClient from 'undici/lib/dispatcher/client.js';
import { openEdgeSocket, createReadState, createTlsState } from '../../../adapters/http/edge-socket.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { askFor, certificates, openDownloader, openEdge } from './downloader-fixture.ts';
import { answer, type Script } from './scripted-edge.ts';
import { until } from '../../../testing/until.ts';

// oxlint-disable-next-line no-restricted-imports -- undici's own lib folder, not ours; see undici-client.d.ts

const later = (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Bytes that differ everywhere, so that a chunk that was overwritten or lost shows. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return bytes;
}

interface Reading {
  readonly secure: boolean;
  readonly port: number;
  /** For how long to pause at a chunk, the next at each call; null: not at all. */
  readonly pauseMs: () => number | null;
  readonly isPlain: boolean;
  /** Is given each chunk as undici hands it over; default: nobody. */
  readonly look?: (chunk: Buffer) => void;
}

/** A pause of a millisecond at every nth chunk. */
function everyNth(n: number): () => number | null {
  let chunks = 0;
  return () => (++chunks % n === 0 ? 1 : null);
}

/** Reads a body through undici as the downloader does, and keeps a copy of what it got. */
async function readPausing({ secure, port, isPlain, pauseMs, look = () => {} }: Reading): Promise<Buffer> {
  const state = { ...createReadState(), tcpMs: -1, tlsMs: -1 };
  const target = { secure, host: 'edge.test', ip: '127.0.0.1', port };
  const client = new UndiciClient(`${secure ? 'https' : 'http'}://edge.test:${port}`, {
    connect: (_options, callback) => {
      openEdgeSocket(target, 'key', createTlsState(certificates.caPem), state, 5000, (error, socket: Socket) => {
        if (error === null) callback(null, socket);
        else callback(error, null);
      });
    },
  });
  const chunks: Buffer[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      client.dispatch(
        { path: '/', method: 'GET' },
        {
          onRequestStart() {},
          onResponseStart() {
            state.inPlainBody = isPlain;
          },
          onResponseData(controller, chunk) {
            look(chunk);
            chunks.push(Buffer.from(chunk));
            const ms = pauseMs();
            if (ms === null) return;
            controller.pause();
            setTimeout(() => controller.resume(), ms);
          },
          onResponseEnd: () => resolve(),
          onResponseError: (_controller, error) => reject(error),
        },
      );
    });
  } finally {
    await client.destroy();
  }
  return Buffer.concat(chunks);
}

/** An edge over TLS or plain TCP, closed after the test. */
const openOver = (secure: boolean, script: Script) => openEdge(script, secure ? certificates.leaf : null);

function sendBody(socket: Socket, body: Buffer, isPlain: boolean): void {
  socket.write(`HTTP/1.1 200 OK\r\n${isPlain ? `content-length: ${body.length}` : 'transfer-encoding: chunked'}\r\n\r\n`);
  if (!isPlain) socket.write(`${body.length.toString(16)}\r\n`);
  socket.write(body);
  if (!isPlain) socket.write('\r\n0\r\nX-Sum: 1\r\n\r\n');
}

const SCHEMES = [
  ['https', true],
  ['http', false],
] as const;
const BODIES = [
  ['of a told length', true],
  ['in chunks', false],
] as const;

test('undici is pinned exactly, and that version is installed, because our socket rests on how it reads', () => {
  expect(packageJson.devDependencies.undici).toMatch(/^\d+\.\d+\.\d+$/);
  const installed = JSON.parse(readFileSync(new URL('../../../node_modules/undici/package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(installed.version).toBe(packageJson.devDependencies.undici);
});

describe.each(SCHEMES)('what undici reads of a socket over %s', (scheme, secure) => {
  test.each(BODIES)(
    'a body %s of 50 MB arrives byte for byte, also where it is paused again and again',
    async (_what, isPlain) => {
      const body = pattern(50_000_000);
      const edge = await openOver(secure, (socket) => sendBody(socket, body, isPlain));
      const got = await readPausing({ secure, port: edge.address.port, pauseMs: everyNth(7), isPlain });
      expect(got.length).toBe(body.length);
      expect(sha(got)).toBe(sha(body));
    },
    60_000,
  );

  test('a paused body is not read on into memory, and comes whole afterwards', async () => {
    const body = pattern(50_000_000);
    let sender: Socket | undefined;
    const edge = await openOver(secure, (socket) => {
      sender = socket;
      sendBody(socket, body, true);
    });
    let chunks = 0;
    const pauseMs = () => (++chunks === 20 ? 300 : null);
    const reading = readPausing({ secure, port: edge.address.port, isPlain: true, pauseMs });
    await until('the body is paused', () => chunks === 20);
    await later(250);
    // The kernel holds a few megabytes for both ends; all the rest has to wait at the sender.
    expect([chunks, (sender?.writableLength ?? 0) > 25_000_000]).toEqual([20, true]);
    expect(sha(await reading)).toBe(sha(body));
  });

  test('bodies that are read at the same time, each paused at other chunks, do not mix', async () => {
    const bodies = Array.from({ length: 8 }, (_, n) => pattern(2_000_000).map((byte) => byte ^ n) as Buffer);
    let next = 0;
    const edge = await openOver(secure, (socket) => {
      const n = next++;
      sendBody(socket, Buffer.from(bodies[n] ?? ''), n % 2 === 0);
    });
    // One after another is asked for, so that the nth body goes to the nth reader; all of them are then read side by side.
    const got = [];
    for (let n = 0; n < bodies.length; n++) {
      got.push(readPausing({ secure, port: edge.address.port, pauseMs: everyNth(1 + n), isPlain: n % 2 === 0 }));
      await until('the body is asked for', () => edge.requests.length > n);
    }
    expect((await Promise.all(got)).map(sha)).toEqual(bodies.map((body) => sha(Buffer.from(body))));
  });

  test('a body of a told length is read through one buffer, however long it is', async () => {
    const body = pattern(20_000_000);
    const edge = await openOver(secure, (socket) => sendBody(socket, body, true));
    const bytesOf = new Map<ArrayBufferLike, number>();
    const look = ({ buffer, length }: Buffer) => void bytesOf.set(buffer, (bytesOf.get(buffer) ?? 0) + length);
    await readPausing({ secure, port: edge.address.port, pauseMs: () => null, isPlain: true, look });
    // What comes with the head is a copy; the rest of the 20 MB is not.
    expect(Math.max(...bytesOf.values())).toBeGreaterThan(19_000_000);
    expect(bytesOf.size).toBeLessThanOrEqual(4);
  });

  test('a trailer torn inside its name fails no answer, whatever other connections read meanwhile', async () => {
    const edge = await openOver(secure, async (socket, { line }) => {
      socket.setNoDelay(true);
      if (line.includes('/plain')) {
        socket.write(answer('0123456789'));
        return;
      }
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n');
      await later(5);
      socket.write('0\r\nX-Pad: abcde\r\nX-Checksum-256');
      await later(15);
      socket.write(': 77\r\n\r\n');
    });
    const downloader = openDownloader();
    const ask = (path: string) => downloader.ask(askFor(edge.address, { url: `${scheme}://edge.test${path}` }));
    const torn = Array.from({ length: 40 }, (_, n) => ask(`/torn/${n}`));
    const plain: Promise<unknown>[] = [];
    for (let wave = 0; wave < 30; wave++) {
      for (let n = 0; n < 8; n++) plain.push(ask(`/plain/${n}`));
      await later(1);
    }
    for (const got of await Promise.all(torn)) expect(got).toMatchObject({ error: null, status: 200, bodyBytes: 5 });
    for (const got of await Promise.all(plain)) expect(got).toMatchObject({ error: null, bodyBytes: 10 });
  });
});

describe('what undici reads of a head', () => {
  test('a head that comes byte by byte is read whole, interim 100 and 103 before it included', async () => {
    const text = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\nx-a: 1\r\n\r\n${answer('hello', { 'x-cache': 'Hit from cloudfront' })}`;
    const edge = await openEdge(async (socket) => {
      socket.setNoDelay(true);
      for (const byte of text) {
        socket.write(byte);
        await later(0);
      }
    });
    const got = await openDownloader().ask(askFor(edge.address));
    expect(got).toMatchObject({ error: null, status: 200, bodyBytes: 5, xCache: 'Hit from cloudfront', cause: '' });
  });

  test('an interim 100 before every answer is no fault, and the connection is used again', async () => {
    const edge = await openEdge((socket) => void socket.write(`HTTP/1.1 100 Continue\r\n\r\n${answer('hello')}`));
    const downloader = openDownloader();
    const got = [await downloader.ask(askFor(edge.address)), await downloader.ask(askFor(edge.address))];
    for (const each of got) expect(each).toMatchObject({ error: null, status: 200, bodyBytes: 5 });
    expect(edge.connections).toBe(1);
  });

  test('a flood of interim answers ends as `protocol`', async () => {
    const edge = await openEdge((socket) => void socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100)));
    const got = await openDownloader().ask(askFor(edge.address));
    expect(got).toMatchObject({ error: 'protocol', status: 0, cause: 'more than 32 interim answers' });
  });
});
