import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { ANSWER_HEADERS, type ApiApp } from '../app/api-app.ts';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';

/** A request has to arrive whole within this, body included. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than pollers pause, so that they keep their connection. */
const KEEP_ALIVE_MS = 65_000;
/** Beyond them a connection is closed at once: those who poll keep theirs, and nobody without a key takes all the memory. */
const MAX_CONNECTIONS = 1000;
/** What is being answered when the server stops may take this long. */
const DRAIN_MS = 5000;

const REMEDIES: Readonly<Record<string, readonly [flag: '--host' | '--port', message: string]>> = {
  EADDRINUSE: ['--port', 'is in use by another program; choose another, or 0 for any that is free'],
  EACCES: ['--port', 'may not be used by this user; choose one above 1023'],
  EADDRNOTAVAIL: ['--host', 'is no address of this machine; choose 127.0.0.1, or one of its own'],
  ENOTFOUND: ['--host', 'is no name or address; choose 127.0.0.1, or one of this machine'],
};

const MALFORMED: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large; they take 16 KiB at most'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not arrive in time; send it again'],
};

export interface HttpServer {
  /** `http://127.0.0.1:8787`. */
  readonly url: string;
  /** Takes no new requests, lets those under way end for a few seconds, then frees the port. */
  close(): Promise<void>;
}

/** Serves the app, which is made once the address is taken. Throws InvalidInput where the address cannot be listened at. */
export async function openHttpServer(
  createApp: () => ApiApp,
  options: { readonly host: string; readonly port: number },
): Promise<HttpServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('clientError', answerMalformed);
  server.listen(options.port, options.host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const [flag, message] = REMEDIES[(error as NodeJS.ErrnoException).code ?? ''] ?? [];
    if (flag === undefined || message === undefined) throw error;
    throw new InvalidInput([inputFault(flag, flag === '--port' ? String(options.port) : options.host, message)]);
  }
  // Nothing of a connection is read before this turn of the event loop ends.
  server.on('request', listenerOf(server, createApp));
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, close: () => closeServer(server) };
}

function listenerOf(server: Server, createApp: () => ApiApp): (request: IncomingMessage, response: ServerResponse) => void {
  try {
    const listener = getRequestListener(createApp().fetch);
    return (request, response) => void listener(request, response);
  } catch (error) {
    server.close();
    throw error;
  }
}

/** What is not even HTTP gets its answer too, in the form of all others. */
function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const [status, message] = MALFORMED[error.code ?? ''] ?? ['400 Bad Request', 'this is not a valid HTTP request'];
  const body = JSON.stringify({ status: 'Failed', error_message: message, error_urls: [] });
  const headers = Object.entries({
    ...ANSWER_HEADERS,
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    Connection: 'close',
  });
  socket.end(`HTTP/1.1 ${status}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const force = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(force);
}
