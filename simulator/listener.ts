import { createServer, type Socket } from 'node:net';

/** One port of one address, which can be closed and opened again at the same place. */
export interface Listener {
  readonly ip: string;
  readonly port: number;
  /** Closes the port at once: connecting is refused from now on. */
  close(): void;
  /** Opens it again if it is closed. Rejects when something else has taken the port meanwhile. */
  reopen(): Promise<void>;
}

/**
 * Listens at `port` (0: any free one) of a loopback ip. Rejects with the system's error, `EADDRINUSE` for one.
 * `onSocket` has the sockets from then on, those left when the port closes too.
 */
export async function openListener(ip: string, port: number, onSocket: (socket: Socket) => void): Promise<Listener> {
  // Half-open and without delay, as the HTTP server would set up sockets that it accepts itself.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, onSocket);
  const listen = (wanted: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: wanted, host: ip, backlog: 4096 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  await listen(port);
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error(`no port at ${ip}`);
  let opening: Promise<void> | null = Promise.resolve();
  return {
    ip,
    port: bound.port,
    close() {
      opening = null;
      server.close();
    },
    reopen() {
      opening ??= listen(bound.port);
      return opening;
    },
  };
}

export function isAddressInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
