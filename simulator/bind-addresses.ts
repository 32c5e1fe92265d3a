import type { Socket } from 'node:net';
import { isAddressInUse, type Listener, openListener } from './listener.ts';

/** The two ports of one POP address. */
export interface BoundAddress {
  readonly secure: Listener;
  readonly plain: Listener;
}

type OnSocket = (index: number, secure: boolean, socket: Socket) => void;

/** The first port of each scheme; 0: any that is free. */
interface FirstPorts {
  readonly https: number;
  readonly http: number;
}

const ATTEMPTS = 20;

async function bindPair(index: number, ip: string, port: number, httpPort: number, onSocket: OnSocket): Promise<BoundAddress> {
  const secure = await openListener(ip, port, (socket) => onSocket(index, true, socket));
  try {
    const plain = await openListener(ip, httpPort, (socket) => onSocket(index, false, socket));
    return { secure, plain };
  } catch (error) {
    secure.close();
    throw error;
  }
}

export function closeAddresses(bound: readonly BoundAddress[]): void {
  for (const { secure, plain } of bound) {
    secure.close();
    plain.close();
  }
}

async function bindShared(ips: readonly string[], { https, http }: FirstPorts, onSocket: OnSocket): Promise<BoundAddress[]> {
  const bound: BoundAddress[] = [];
  try {
    for (const [index, ip] of ips.entries()) {
      const first = bound[0];
      bound.push(await bindPair(index, ip, first?.secure.port ?? https, first?.plain.port ?? http, onSocket));
    }
    return bound;
  } catch (error) {
    closeAddresses(bound);
    throw error;
  }
}

/** A random net, so that edges side by side seldom meet; 127.0.0.0/16 is left to others. */
function pickIps(count: number): string[] {
  const net = 1 + Math.floor(Math.random() * 254);
  return Array.from({ length: count }, (_, index) => `127.${net}.${Math.floor(index / 250)}.${1 + (index % 250)}`);
}

/** All of them, or none: where one port is taken, the others are closed again. */
async function bindPorts(count: number, { https, http }: FirstPorts, onSocket: OnSocket): Promise<BoundAddress[]> {
  const portAt = (first: number, index: number) => (first === 0 ? 0 : first + index);
  const pairs = Array.from({ length: count }, (_, index) =>
    bindPair(index, '127.0.0.1', portAt(https, index), portAt(http, index), onSocket),
  );
  const settled = await Promise.allSettled(pairs);
  const failed = settled.find((pair) => pair.status === 'rejected');
  const bound = settled.flatMap((pair) => (pair.status === 'fulfilled' ? pair.value : []));
  if (failed === undefined) return bound;
  closeAddresses(bound);
  throw failed.reason;
}

/**
 * Opens `count` POP addresses on loopback. `ports`: ports of 127.0.0.1, which count up from the first ones where these are given.
 * `addresses`: one ip each, all on the same two ports. Rejects when a port is taken, and when the system has no such addresses
 * (only Linux answers on all of 127.0.0.0/8).
 */
export async function bindAddresses(
  bind: 'ports' | 'addresses',
  count: number,
  ports: FirstPorts,
  onSocket: OnSocket,
): Promise<BoundAddress[]> {
  if (bind === 'ports') return bindPorts(count, ports, onSocket);
  for (let attempt = 1; ; attempt++) {
    try {
      return await bindShared(pickIps(count), ports, onSocket);
    } catch (error) {
      if (attempt === ATTEMPTS || !isAddressInUse(error)) {
        throw new Error("this machine has no free 127.x.y.z addresses for the simulated edge; use bind: 'ports'", { cause: error });
      }
    }
  }
}
