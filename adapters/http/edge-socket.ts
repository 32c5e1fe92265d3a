import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext, type PeerCertificate, type SecureContext } from 'node:tls';
import { createChunkReader, type ReadState } from './chunk-reader.ts';

/** Where a connection goes (ip and port) and whom it must reach there (the URL's host, without brackets). */
export interface EdgeOrigin {
  readonly secure: boolean;
  readonly host: string;
  readonly ip: string;
  readonly port: number;
}

/** What all connections of a downloader share. */
export interface TlsState {
  /** One for all connections: Node would build another, with all its certificates, for each of them. */
  context(): SecureContext;
  sessionOf(origin: string): Buffer | undefined;
  keepSession(origin: string, session: Buffer): void;
}

/** Sessions kept for resumption; about 2 KB each. */
const MAX_SESSIONS = 1_000;

/** @param ca trusted roots (PEM) instead of the well-known ones */
export function createTlsState(ca: string | undefined): TlsState {
  const sessions = new Map<string, Buffer>();
  let context: SecureContext | undefined;
  return {
    context() {
      context ??= createSecureContext(ca === undefined ? {} : { ca });
      return context;
    },
    sessionOf: (origin) => sessions.get(origin),
    keepSession(origin, session) {
      sessions.delete(origin);
      sessions.set(origin, session);
      if (sessions.size <= MAX_SESSIONS) return;
      for (const oldest of sessions.keys()) {
        sessions.delete(oldest);
        return;
      }
    },
  };
}

/** Code of the error of a connection that did not stand in time. */
export const CONNECT_TIMEOUT = 'PREWARM_CONNECT_TIMEOUT';

function connectTimeout(ms: number): Error {
  return Object.assign(new Error(`no connection within ${ms} ms`), { code: CONNECT_TIMEOUT });
}

/** What a socket's owner and the socket tell each other. */
export interface SocketState extends ReadState {
  /** How long connecting took, milliseconds; -1: it does not stand yet, or there is no TLS. */
  tcpMs: number;
  tlsMs: number;
}

function open(origin: EdgeOrigin, key: string, tls: TlsState, state: SocketState): Socket {
  const { host, ip, port } = origin;
  const reader = createChunkReader(state);
  const onread = { buffer: reader.buffer, callback: reader.callback };
  if (!origin.secure) {
    const socket = connectTcp({ host: ip, port, onread });
    reader.attach(socket);
    return socket;
  }
  const session = tls.sessionOf(key);
  const options = {
    host: ip,
    port,
    // An address is no server name (RFC 6066); the certificate is compared with the URL's host all the same.
    servername: isIP(host) === 0 ? host : '',
    checkServerIdentity: (_servername: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate),
    secureContext: tls.context(),
    ALPNProtocols: ['http/1.1'],
    // Documented, but unknown to Node's types.
    onread,
    ...(session === undefined ? {} : { session }),
  };
  const socket = connectTls(options);
  reader.attach(socket);
  return socket.on('session', (fresh: Buffer) => tls.keepSession(key, fresh));
}

/**
 * Connects to the address itself, whatever DNS says about the host. `done` is called once, unless the returned socket is
 * destroyed before: with the socket when it stands (TLS included), or with what went wrong.
 */
export function connectEdge(
  origin: EdgeOrigin,
  key: string,
  tls: TlsState,
  state: SocketState,
  timeoutMs: number,
  done: (error: Error | null, socket: Socket) => void,
): Socket {
  const startedAt = performance.now();
  const socket = open(origin, key, tls, state);
  let pending = true;
  const settle = (error: Error | null) => {
    if (!pending) return;
    pending = false;
    clearTimeout(timer);
    done(error, socket);
  };
  const timer = setTimeout(() => {
    settle(connectTimeout(timeoutMs));
    socket.destroy();
  }, timeoutMs);
  socket.setNoDelay(true);
  state.tcpMs = -1;
  state.tlsMs = -1;
  socket.once('connect', () => {
    state.tcpMs = performance.now() - startedAt;
  });
  if (origin.secure) {
    socket.once('secureConnect', () => {
      state.tlsMs = performance.now() - startedAt - state.tcpMs;
    });
  }
  socket.once(origin.secure ? 'secureConnect' : 'connect', () => settle(null));
  socket.on('error', settle);
  socket.once('close', () => {
    pending = false;
    clearTimeout(timer);
  });
  return socket;
}
