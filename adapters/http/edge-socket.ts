import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, createSecureContext, type PeerCertificate, type SecureContext } from 'node:tls';

/** What a socket's owner tells the reader of its chunks. */
export interface ReadState {
  /**
   * A body without trailers is being read: its owner counts each chunk and keeps none. False in heads and in chunked bodies, which may end
   * in trailers: undici keeps pieces of unfinished header lines, wherever they stand.
   */
  inPlainBody: boolean;
  readonly head: HeadState;
}

export const createReadState = (): ReadState => ({ inPlainBody: false, head: createHead() });

/**
 * Where every socket reads to, one chunk at a time: Node would allocate a buffer per TLS record, and at hundreds of megabytes a second tens of
 * megabytes of them wait for the garbage collector.
 */
const sharedBuffer = Buffer.allocUnsafeSlow(64 * 1024);

interface ChunkReader {
  /** Where the socket reads to. */
  readonly buffer: Buffer;
  readonly attach: (socket: Socket) => void;
  /** Takes what the socket has read. False stops the socket; the next `read()` that finds nothing here starts it again. */
  readonly callback: (bytes: number) => boolean;
}

/**
 * Hands each chunk to undici, which asks `read()` for it on 'readable'. Undici sees the shared buffer itself in plain bodies only. Whatever
 * it may keep is a copy: heads, trailers, and what it does not take at once because it paused.
 */
function createChunkReader(state: ReadState): ChunkReader {
  const unread: Buffer[] = [];
  let reading: Socket | undefined;
  return {
    buffer: sharedBuffer,
    attach: (socket) => {
      reading = socket;
      const read = socket.read.bind(socket);
      socket.read = (size?: number) => (size === undefined ? unread.shift() : undefined) ?? read(size);
      // Undici gives back what it had not parsed when it paused; the next chunk would overwrite it.
      socket.unshift = (rest: Buffer) => void (rest.length > 0 && unread.unshift(Buffer.from(rest)));
    },
    callback: (bytes) => {
      const view = sharedBuffer.subarray(0, bytes);
      if (state.inPlainBody) unread.push(view);
      else {
        const copy = Buffer.from(view);
        hideContinue(copy, state.head);
        unread.push(copy);
      }
      reading?.emit('readable');
      const last = unread.length - 1;
      if (last < 0) return true;
      if (unread[last] === view) unread[last] = Buffer.from(view);
      return false;
    },
  };
}

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
export function openEdgeSocket(
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

/** How far the head of the answer that is awaited has been looked at. */
export interface HeadState {
  /** Bytes of this head so far; -1: it is the head of a final answer, which is left alone. */
  position: number;
  isTen: boolean;
  lineLength: number;
}

const FIRST_DIGIT = 'HTTP/1.1 '.length;
const SECOND_DIGIT = FIRST_DIGIT + 1;
const THIRD_DIGIT = FIRST_DIGIT + 2;
const [LF, CR, ZERO, ONE, THREE] = [0x0a, 0x0d, 0x30, 0x31, 0x33] as const;
const FINAL = -1;

const createHead = (): HeadState => ({ position: 0, isTen: false, lineLength: 0 });

/** A new answer is awaited. */
export function awaitHead(head: HeadState): void {
  head.position = 0;
  head.lineLength = 0;
}

/**
 * Turns an interim 100 (Continue), which undici takes for a fault of the server, into an interim 103, which it passes over. RFC 9110 lets a
 * client receive any number of interim answers that it did not ask for. Works in place, whatever way the bytes are cut into chunks.
 */
function hideContinue(bytes: Buffer, head: HeadState): void {
  for (let at = 0; at < bytes.length && head.position !== FINAL; at++) {
    const byte = bytes[at];
    const { position } = head;
    head.position++;
    if (position === FIRST_DIGIT && byte !== ONE) head.position = FINAL;
    else if (position === SECOND_DIGIT) head.isTen = byte === ZERO;
    else if (position === THIRD_DIGIT && head.isTen && byte === ZERO) bytes[at] = THREE;
    if (byte === LF) {
      if (head.lineLength === 0 && position > THIRD_DIGIT) awaitHead(head);
      head.lineLength = 0;
    } else if (byte !== CR) head.lineLength++;
  }
}
