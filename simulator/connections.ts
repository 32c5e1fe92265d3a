import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { type BoundAddress, closeAddresses } from './bind-addresses.ts';
import type { CacheTier } from './cache-tier.ts';
import type { EdgeCertificates, ServerCertificate } from './edge-certificates.ts';
import { type Fault, type FaultMatch, type FaultPlace, type FaultRules, faultOf, isConnectionFault, matchesPlace } from './fault-rules.ts';
import type { Traffic, TrafficMap } from './traffic.ts';

/** One address of a POP: its ports, the cache behind it, and what it was asked. */
export interface PopAddress extends FaultPlace {
  readonly bound: BoundAddress;
  readonly cache: CacheTier;
  readonly traffic: TrafficMap<Traffic>;
}

/** One connection of a client to a POP address. */
export interface EdgeConnection {
  readonly place: PopAddress;
  /** The TCP socket itself, under TLS too. */
  readonly raw: Socket;
  /**
   * Takes back what the last answer stored, until the next request shows that the client read it. A client that goes
   * away with bytes unread resets the connection, though the system had taken all of them from us.
   */
  undo: (() => void) | null;
}

export interface Connections {
  /** Takes over a socket that a POP address accepted. */
  accept(place: PopAddress, secure: boolean, raw: Socket): void;
  of(socket: Socket): EdgeConnection;
  /** Ends the connections of the addresses that `matches`. */
  drop(matches: (place: PopAddress) => boolean): void;
}

const KEEP_ALIVE_MS = 60_000;

const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket) =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;

/** The HTTP servers of all POP addresses: one for http, one for https, one with the wrong certificate. None listens itself. */
export function createConnections(
  certificates: EdgeCertificates,
  rules: FaultRules,
  onRequest: (req: IncomingMessage, res: ServerResponse) => void,
): Connections {
  const open = new Map<string, EdgeConnection>();
  const bySocket = new WeakMap<Socket, EdgeConnection>();

  const link = (socket: Socket): void => {
    const connection = open.get(endsOf(socket));
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    bySocket.set(socket, connection);
    socket.on('error', () => {
      connection.undo?.();
      connection.undo = null;
    });
  };
  const plainServer = createHttpServer({ keepAliveTimeout: KEEP_ALIVE_MS }, onRequest).on('connection', link);
  const secureServer = (certificate: ServerCertificate) =>
    createHttpsServer({ ...certificate, keepAliveTimeout: KEEP_ALIVE_MS, ALPNProtocols: ['http/1.1'] }, onRequest).on(
      'secureConnection',
      link,
    );
  const rightServer = secureServer(certificates.leaf);
  const wrongServer = secureServer(certificates.wrongLeaf);

  return {
    accept(place, secure, raw) {
      const ends = endsOf(raw);
      open.set(ends, { place, raw, undo: null });
      raw.on('close', () => open.delete(ends));
      const faults = rules.forConnection(place);
      if (faultOf(faults, 'dead') !== undefined) {
        // Read and dropped, so that the end of the client is noticed; a reset is one such end.
        raw.on('error', () => raw.destroy()).on('end', () => raw.destroy());
        raw.resume();
        return;
      }
      if (!secure) plainServer.emit('connection', raw);
      else (faultOf(faults, 'wrong-certificate') === undefined ? rightServer : wrongServer).emit('connection', raw);
    },
    of(socket) {
      const connection = bySocket.get(socket);
      if (connection === undefined) throw new Error('a request on a connection that no POP address accepted');
      return connection;
    },
    drop(matches) {
      for (const { place, raw } of open.values()) if (matches(place)) raw.destroy();
    },
  };
}

export interface EdgeFaults {
  readonly set: (match: FaultMatch, fault: Fault) => () => Promise<void>;
  /** No address opens again after this. */
  close(): void;
}

/** Faults set while the edge runs: those of connections end the ones that stand, a refused address closes its ports. */
export function createEdgeFaults(rules: FaultRules, places: readonly PopAddress[], connections: Connections): EdgeFaults {
  let closed = false;
  return {
    set(match, fault) {
      const remove = rules.add(match, fault);
      const matches = (place: PopAddress) => matchesPlace(match, place);
      if (fault.kind === 'dead' && fault.how === 'refuses') closeAddresses(places.filter(matches).map(({ bound }) => bound));
      if (isConnectionFault(fault)) connections.drop(matches);
      return async () => {
        remove();
        if (closed) return;
        const alive = places.filter((place) => !rules.refuses(place));
        await Promise.all(alive.flatMap(({ bound }) => [bound.secure.reopen(), bound.plain.reopen()]));
      };
    },
    close() {
      closed = true;
      closeAddresses(places.map(({ bound }) => bound));
      connections.drop(() => true);
    },
  };
}
