import type { Socket } from 'node:net';
import type { Client } from 'undici';
import UndiciClient from 'undici/lib/dispatcher/client.js';
import { openEdgeSocket, createReadState, type EdgeOrigin, type SocketState, type TlsState } from './edge-socket.ts';

// oxlint-disable-next-line no-restricted-imports -- undici's own lib folder, not ours; see undici-client.d.ts

/** What goes over a connection: one ask. */
export interface ConnectionUser {
  readonly settled: boolean;
  runOn(connection: EdgeConnection): void;
  /** Ends the ask as cancelled, at once; what it ran on is discarded. */
  cancel(): void;
}

/** One connection to one address, with one ask on it at a time. */
export interface EdgeConnection extends SocketState {
  readonly client: Client;
  /** Answers that came whole over the socket that stands now. */
  served: number;
  /** The socket that stands now ended with an error. */
  failed: boolean;
  /** Null: idle. */
  user: ConnectionUser | null;
  socket: Socket | null;
}

export interface PoolLimits {
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly maxConnections: number;
}

/** The connections for one scheme, host and port of URLs, all pinned to one address. */
export interface ConnectionPool {
  /** Gives the user a connection, now or when one is free. */
  run(user: ConnectionUser): void;
  /** The connection's answer came whole: it is free again. */
  release(connection: EdgeConnection): void;
  /** The connection is of no more use. */
  discard(connection: EdgeConnection): void;
  /** A new connection in place of one that turned out dead. */
  replace(connection: EdgeConnection): EdgeConnection;
  /** Cancels whatever runs or waits; resolves when every socket is closed. */
  close(): Promise<void>;
}

/** What the pool tells its owner. */
export interface PoolEvents {
  idle(pool: ConnectionPool, connection: EdgeConnection): void;
  /** The connection is in use again, or gone. */
  notIdle(connection: EdgeConnection): void;
  /** No connection is left and none is wanted. */
  empty(): void;
}

/** Idle connections are closed after this; undici's own unreferenced timers do it. */
const IDLE_MS = 15_000;
const MAX_HEADER_BYTES = 64 * 1024;

function nothing(): void {}

function openConnection(
  origin: string,
  target: EdgeOrigin,
  tls: TlsState,
  limits: PoolLimits,
  onIdleClose: (connection: EdgeConnection) => void,
): EdgeConnection {
  const key = `${origin} ${target.ip} ${target.port}`;
  const client: Client = new UndiciClient(origin, {
    connect(_options, callback) {
      connection.served = 0;
      connection.failed = false;
      connection.inPlainBody = false;
      connection.socket = openEdgeSocket(target, key, tls, connection, limits.connectTimeoutMs, (error, socket) => {
        if (error === null) callback(null, socket);
        else callback(error, null);
      }).on('error', () => {
        connection.failed = true;
      });
    },
    pipelining: 1,
    allowH2: false,
    headersTimeout: limits.headersTimeoutMs,
    bodyTimeout: limits.stallTimeoutMs,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  const connection: EdgeConnection = {
    ...createReadState(),
    client,
    tcpMs: -1,
    tlsMs: -1,
    served: 0,
    failed: false,
    user: null,
    socket: null,
  };
  client.on('disconnect', () => {
    // While an ask is on it, the ask hears of it, or undici connects anew for the one that waits.
    if (connection.user === null) onIdleClose(connection);
  });
  return connection;
}

function destroyConnection(connection: EdgeConnection, done: () => void): void {
  connection.client.destroy(done);
  // undici lets a connection that does not stand yet run into its time-out.
  connection.socket?.destroy();
}

async function closeAll(connections: readonly EdgeConnection[], waiting: readonly ConnectionUser[]): Promise<void> {
  for (const user of waiting) user.cancel();
  for (const connection of connections) connection.user?.cancel();
  await Promise.all(connections.map((connection) => new Promise<void>((resolve) => destroyConnection(connection, resolve))));
}

/** The first that still wants a connection. */
function takeUnsettled(waiting: ConnectionUser[]): ConnectionUser | undefined {
  let user = waiting.shift();
  while (user?.settled) user = waiting.shift();
  return user;
}

function removeFrom(connections: EdgeConnection[], connection: EdgeConnection): void {
  const place = connections.lastIndexOf(connection);
  if (place !== -1) connections.splice(place, 1);
}

export function createConnectionPool(
  origin: string,
  target: EdgeOrigin,
  tls: TlsState,
  limits: PoolLimits,
  events: PoolEvents,
): ConnectionPool {
  const all = new Set<EdgeConnection>();
  const idle: EdgeConnection[] = [];
  const waiting: ConnectionUser[] = [];

  const open = () => {
    const connection = openConnection(origin, target, tls, limits, forget);
    all.add(connection);
    return connection;
  };
  const assign = (user: ConnectionUser, connection: EdgeConnection) => {
    connection.user = user;
    user.runOn(connection);
  };
  function forget(connection: EdgeConnection): void {
    if (!all.delete(connection)) return;
    removeFrom(idle, connection);
    events.notIdle(connection);
    destroyConnection(connection, nothing);
    const next = takeUnsettled(waiting);
    if (next !== undefined) assign(next, open());
    else if (all.size === 0) events.empty();
  }

  const pool: ConnectionPool = {
    run(user) {
      // The last one used is the one least likely to be stale, and lets the others grow idle.
      const connection = idle.pop();
      if (connection !== undefined) {
        events.notIdle(connection);
        assign(user, connection);
      } else if (all.size < limits.maxConnections) assign(user, open());
      else waiting.push(user);
    },
    release(connection) {
      connection.served++;
      const next = takeUnsettled(waiting);
      if (next !== undefined) {
        assign(next, connection);
        return;
      }
      connection.user = null;
      idle.push(connection);
      events.idle(pool, connection);
    },
    discard: forget,
    replace(connection) {
      all.delete(connection);
      destroyConnection(connection, nothing);
      const fresh = open();
      fresh.user = connection.user;
      return fresh;
    },
    close: () => closeAll([...all], waiting.splice(0)),
  };
  return pool;
}
