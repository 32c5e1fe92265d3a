import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Client, Dispatcher } from 'undici';
import { createTlsState } from '../adapters/http/edge-socket.ts';
import { CancellableScope } from '../core/ask-scope.ts';

/**
 * A process of its own: downloads one URL so many times through one pinned address, in one of four ways, and counts the bytes.
 * Its one argument is a ReadJob as JSON. It writes ReadFigures as JSON; an answer that is not whole is an error.
 */
export interface ReadJob {
  readonly way: ReadWay;
  readonly url: string;
  readonly ip: string;
  readonly port: number;
  readonly caFile: string;
  readonly bytes: number;
  readonly asks: number;
  readonly inFlight: number;
}

/**
 * `shared`: our socket, which reads into one buffer, under undici's client. `connector`: undici's client with a connector of its own.
 * `flowing`: undici's `request` with the same connector and the body as a flowing stream. `downloader`: all that an agent asks through.
 */
export type ReadWay = 'shared' | 'connector' | 'flowing' | 'downloader';

export interface ReadFigures {
  /** Of the measured asks: processor time of all threads, milliseconds; wall time, milliseconds. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** The kernel's high-water mark of the whole process, bytes. */
  readonly peakBytes: number;
}

interface Reader {
  /** Resolves with the bytes of the body. `lane` is below `inFlight`; a lane has one ask at a time. */
  read(lane: number): Promise<number>;
  close(): Promise<unknown>;
}

const job = JSON.parse(process.argv[2] ?? '{}') as ReadJob;
const ca = readFileSync(job.caFile, 'utf8');
const { origin, pathname, hostname, protocol } = new URL(job.url);
const secure = protocol === 'https:';

const CLIENT_OPTIONS = { pipelining: 1, allowH2: false } as const;

/** What an agent's exchange does with an answer: it counts. */
function count(client: Client, inPlainBody: (is: boolean) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart: (_controller, status, headers) => {
        if (status !== 200) reject(new Error(`answered ${status}`));
        inPlainBody(headers['transfer-encoding'] === undefined);
      },
      onResponseData: (_controller, chunk) => {
        bytes += chunk.length;
      },
      onResponseEnd: () => {
        inPlainBody(false);
        resolve(bytes);
      },
      onResponseError: (_controller, error) => reject(error),
    };
    client.dispatch({ path: pathname, method: 'GET', headers: ['accept', '*/*'], reset: false }, handler);
  });
}

async function openShared(): Promise<Reader> {
  // oxlint-disable-next-line no-restricted-imports -- undici's own lib folder, not ours; see undici-client.d.ts
  const { default: UndiciClient } = await import('undici/lib/dispatcher/client.js');
  const { createReadState } = await import('../adapters/http/edge-socket.ts');
  const { openEdgeSocket } = await import('../adapters/http/edge-socket.ts');
  const tls = createTlsState(ca);
  const target = { secure, host: hostname, ip: job.ip, port: job.port };
  const lanes = Array.from({ length: job.inFlight }, () => {
    const state = { ...createReadState(), tcpMs: -1, tlsMs: -1 };
    const client: Client = new UndiciClient(origin, {
      ...CLIENT_OPTIONS,
      connect(_options, callback) {
        openEdgeSocket(target, 'key', tls, state, 5000, (error, socket) => {
          if (error === null) callback(null, socket);
          else callback(error, null);
        });
      },
    });
    return { client, state };
  });
  return {
    read(lane) {
      const { client, state } = at(lanes, lane);
      return count(client, (is) => {
        state.inPlainBody = is;
      });
    },
    close: () => Promise.all(lanes.map(({ client }) => client.destroy())),
  };
}

async function openConnector(isFlowing: boolean): Promise<Reader> {
  const { Client: UndiciClient, buildConnector } = await import('undici');
  const servername = isIP(hostname) === 0 ? hostname : '';
  const connect = buildConnector({ ...(secure ? { ca } : {}), allowH2: false });
  const lanes = Array.from({ length: job.inFlight }, () => {
    return new UndiciClient(origin, {
      ...CLIENT_OPTIONS,
      connect: (options, callback) => connect({ ...options, hostname: job.ip, port: String(job.port), servername }, callback),
    });
  });
  async function flow(client: Client): Promise<number> {
    const { statusCode, body } = await client.request({ path: pathname, method: 'GET', headers: ['accept', '*/*'], reset: false });
    if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
    let bytes = 0;
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await new Promise((resolve, reject) => {
      body.on('end', resolve).on('error', reject);
    });
    return bytes;
  }
  return {
    read: (lane) => (isFlowing ? flow(at(lanes, lane)) : count(at(lanes, lane), () => {})),
    close: () => Promise.all(lanes.map((client) => client.destroy())),
  };
}

async function openDownloader(): Promise<Reader> {
  const { createUndiciDownloader } = await import('../adapters/http/undici-downloader.ts');
  const downloader = createUndiciDownloader({ ca, allowPrivateAddresses: true });
  const address = { ip: job.ip, port: job.port, httpPort: job.port };
  return {
    async read() {
      const answer = await downloader.ask({ method: 'GET', url: job.url, address, headers: [], scope: new CancellableScope() });
      if (answer.error !== null || answer.status !== 200) throw new Error(`answered ${answer.status}, ${answer.error}: ${answer.cause}`);
      return answer.bodyBytes;
    },
    close: () => downloader.close(),
  };
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`there is no lane ${index}`);
  return value;
}

function openReader(way: ReadWay): Promise<Reader> {
  if (way === 'shared') return openShared();
  if (way === 'downloader') return openDownloader();
  return openConnector(way === 'flowing');
}

async function readAll(reader: Reader, asks: number): Promise<void> {
  let left = asks;
  const work = async (lane: number) => {
    while (left-- > 0) {
      const bytes = await reader.read(lane);
      if (bytes !== job.bytes) throw new Error(`a body of ${bytes} bytes where ${job.bytes} were expected`);
    }
  };
  await Promise.all(Array.from({ length: job.inFlight }, (_, lane) => work(lane)));
}

const reader = await openReader(job.way);
// The connections stand, and the code is compiled, before anything is measured.
await readAll(reader, Math.max(job.inFlight, Math.ceil(job.asks / 4)));
const startedAt = performance.now();
const cpuBefore = process.cpuUsage();
await readAll(reader, job.asks);
const { user, system } = process.cpuUsage(cpuBefore);
const wallMs = performance.now() - startedAt;
await reader.close();
const peakKb = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
const figures: ReadFigures = { cpuMs: (user + system) / 1000, wallMs, peakBytes: peakKb * 1024 };
process.stdout.write(`${JSON.stringify(figures)}\n`);
