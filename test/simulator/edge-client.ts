import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { SimulatedEdge } from '../../simulator/simulated-edge.ts';

export interface ClientAsk {
  readonly path: string;
  readonly pop?: string;
  /** Which of the POP's addresses; default the first. */
  readonly index?: number;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly host?: string;
  /** Plain http instead of TLS. */
  readonly plain?: boolean;
  /** Go away after this many body bytes. */
  readonly abortAfter?: number;
  /** Count the body without keeping it: `body` stays empty. */
  readonly discard?: boolean;
  /** Give up after this long; default 5 s. */
  readonly timeoutMs?: number;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly xCache: string;
  readonly body: Buffer;
  /** Code of the error that ended it; '' when it ended well. */
  readonly error: string;
}

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.message);

/** One request on a connection of its own, as a client that knows nothing of the simulator would make it. */
export function askEdge(edge: SimulatedEdge, ask: ClientAsk): Promise<ClientAnswer> {
  const pop = ask.pop ?? Object.keys(edge.edgeMap)[0] ?? '';
  const address = (ask.plain ? edge.httpEdgeMap : edge.edgeMap)[pop]?.[ask.index ?? 0] ?? '';
  const [ip = '', port = ''] = address.split(':');
  const host = ask.host ?? edge.host;
  const options = {
    host: ip,
    port: Number(port),
    path: ask.path,
    method: ask.method ?? 'GET',
    headers: { host, ...ask.headers },
    agent: false,
  };
  return new Promise((resolve) => {
    const req = ask.plain ? httpRequest(options) : httpsRequest({ ...options, servername: host, ca: edge.caPem });
    const chunks: Buffer[] = [];
    let got = 0;
    let response: IncomingMessage | undefined;
    const end = (error: string) => {
      clearTimeout(timer);
      req.destroy();
      const headers = response?.headers ?? {};
      const xCache = String(headers['x-cache'] ?? '').replace(' from cloudfront', '');
      resolve({ status: response?.statusCode ?? 0, headers, xCache, body: Buffer.concat(chunks), error });
    };
    const timer = setTimeout(() => end('timeout'), ask.timeoutMs ?? 5_000);
    req.on('error', (error) => end(codeOf(error)));
    req.on('response', (message) => {
      response = message;
      message.on('error', (error) => end(codeOf(error)));
      message.on('end', () => end(''));
      message.on('data', (chunk: Buffer) => {
        if (!ask.discard) chunks.push(chunk);
        got += chunk.length;
        if (ask.abortAfter !== undefined && got >= ask.abortAfter) end('aborted');
      });
    });
    req.end();
  });
}

/** `x-cache` of a whole GET (or what `ask` makes of it), which must have ended well. */
export async function xCacheOf(edge: SimulatedEdge, path: string, ask: Omit<ClientAsk, 'path'> = {}): Promise<string> {
  const answer = await askEdge(edge, { ...ask, path });
  if (answer.error !== '') throw new Error(`${path}: ${answer.error}`);
  return answer.xCache;
}
