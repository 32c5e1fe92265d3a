import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { EdgeAddress } from '../../core/pops/address.ts';
import type { AskError } from '../../core/ports/downloader.ts';
import type { Header } from '../../core/request/request.ts';
import type { TimingSample } from '../../core/timing/summarise-timing.ts';
import { type AskPhase, classifyAskError } from './classify-ask-error.ts';

/** What one request took and brought; milliseconds, -1: it did not come to that. */
export type TimedAnswer = Pick<
  TimingSample,
  | 'error'
  | 'detail'
  | 'status'
  | 'tcpMs'
  | 'tlsMs'
  | 'waitMs'
  | 'firstByteMs'
  | 'totalMs'
  | 'bytes'
  | 'xCache'
  | 'servedBy'
  | 'requestId'
  | 'xConnection'
  | 'serverTiming'
> & {
  /** No connection to the address came to stand. */
  readonly unreached: boolean;
};

export interface TimedExchangeOptions {
  /** Trusted roots (PEM) instead of the well-known ones. */
  readonly ca?: string;
  /** Keeps connections, so that only the first request to an address pays for one. */
  readonly reuse: boolean;
  /** From the start to the end of the body. */
  readonly timeoutMs: number;
}

export interface TimedExchange {
  /** GETs the URL from the pinned address, Host and SNI those of the URL; reads the body without keeping it. Faults are values. */
  ask(url: string, address: EdgeAddress, headers: readonly Header[], signal: AbortSignal): Promise<TimedAnswer>;
  close(): void;
}

const DEFAULT_HEADERS: readonly Header[] = [
  ['user-agent', 'cloudfront-prewarm'],
  ['accept', '*/*'],
  ['pragma', 'server-timing'],
];

interface Clockwork {
  readonly startedAt: number;
  tcpAt: number;
  tlsAt: number;
  sentAt: number;
  headersAt: number;
  phase: AskPhase;
}

const since = (clockwork: Clockwork, at: number) => (at < 0 ? -1 : at - clockwork.startedAt);
const text = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(', ') : (value ?? ''));

/** Notes when each step of the request is done. */
function watch(request: ClientRequest, secure: boolean): Clockwork {
  const clockwork: Clockwork = { startedAt: performance.now(), tcpAt: -1, tlsAt: -1, sentAt: -1, headersAt: -1, phase: 'connecting' };
  const sent = () => {
    clockwork.sentAt = performance.now();
    clockwork.phase = 'sent';
  };
  request.on('socket', (socket) => {
    if (request.reusedSocket) {
      sent();
      return;
    }
    socket.once('connect', () => {
      clockwork.tcpAt = performance.now();
      if (!secure) sent();
    });
    socket.once('secureConnect', () => {
      clockwork.tlsAt = performance.now();
      sent();
    });
  });
  return clockwork;
}

function answerOf(
  clockwork: Clockwork,
  response: IncomingMessage | null,
  bytes: number,
  failure: { error: AskError; detail: string } | null,
) {
  const { tcpAt, tlsAt, sentAt, headersAt } = clockwork;
  const headers = response?.headers ?? {};
  return {
    error: failure?.error ?? null,
    detail: failure?.detail ?? '',
    status: response?.statusCode ?? 0,
    tcpMs: since(clockwork, tcpAt),
    tlsMs: tlsAt < 0 ? -1 : tlsAt - tcpAt,
    waitMs: headersAt < 0 ? -1 : headersAt - sentAt,
    firstByteMs: since(clockwork, headersAt),
    totalMs: performance.now() - clockwork.startedAt,
    bytes,
    xCache: text(headers['x-cache']),
    servedBy: text(headers['x-amz-cf-pop']),
    requestId: text(headers['x-amz-cf-id']),
    xConnection: text(headers['x-connection']),
    serverTiming: text(headers['server-timing']),
    unreached: failure !== null && failure.error !== 'cancelled' && clockwork.phase === 'connecting',
  };
}

/** Settles with what came of the request, whichever way it ends. */
function settle(request: ClientRequest, secure: boolean, timeoutMs: number, signal: AbortSignal): Promise<TimedAnswer> {
  const clockwork = watch(request, secure);
  let response: IncomingMessage | null = null;
  let bytes = 0;
  return new Promise((resolve) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      request.destroy();
    }, timeoutMs);
    const abort = () => request.destroy();
    signal.addEventListener('abort', abort, { once: true });
    const end = (failure: { error: AskError; detail: string } | null) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      resolve(answerOf(clockwork, response, bytes, failure));
    };
    const fail = (cause: Error) => {
      if (timedOut) end({ error: 'timeout', detail: `no whole answer within ${timeoutMs / 1000} s` });
      else if (signal.aborted) end({ error: 'cancelled', detail: '' });
      else end({ error: classifyAskError(cause, clockwork.phase), detail: cause.message });
    };
    request.on('response', (arrived) => {
      clockwork.headersAt = performance.now();
      clockwork.phase = 'answering';
      response = arrived;
      arrived.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      arrived.on('end', () => end(null));
      arrived.on('error', fail);
    });
    request.on('error', fail);
    request.end();
  });
}

/** Measures single requests over HTTP/1.1; by default each on a connection of its own, with a whole TLS handshake, as a viewer's first is. */
export function createTimedExchange({ ca, reuse, timeoutMs }: TimedExchangeOptions): TimedExchange {
  // One context: Node would build another, with all its certificates, for each connection, and that would be measured too.
  const secureContext = createSecureContext(ca === undefined ? {} : { ca });
  // Resuming a session would spare a part of the handshake that a viewer's first request pays.
  const agents = {
    http: new HttpAgent({ keepAlive: reuse }),
    https: new HttpsAgent({ keepAlive: reuse, maxCachedSessions: 0, secureContext, ALPNProtocols: ['http/1.1'] }),
  };
  return {
    ask(url, { ip, port, httpPort }, headers, signal) {
      const { protocol, hostname, host, pathname, search } = new URL(url);
      const secure = protocol === 'https:';
      const given = new Set(headers.map(([name]) => name.toLowerCase()));
      const sent = Object.fromEntries([['host', host], ...DEFAULT_HEADERS.filter(([name]) => !given.has(name)), ...headers]);
      const common = { host: ip, path: `${pathname}${search}`, headers: sent, method: 'GET' };
      const request = secure
        ? requestHttps({ ...common, port, servername: hostname, agent: agents.https })
        : requestHttp({ ...common, port: httpPort, agent: agents.http });
      return settle(request, secure, timeoutMs, signal);
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}
